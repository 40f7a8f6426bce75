/** One fault of a scene: what is wrong, and in which field (`strategy.params.fast`). */
export interface Fault {
  code: string;
  field: string | null;
  message: string;
}

/** What `application/problem+json` carries (RFC 9457), with the contract's code and field. */
export interface ProblemBody {
  type?: string;
  title: string;
  status: number;
  detail?: string | null;
  code?: string | null;
  field?: string | null;
  faults?: Fault[] | null;
}

/** A refusal of the API, or status 0 where it could not be reached. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly field: string | null;
  readonly faults: Fault[];
  readonly title: string;

  constructor(body: ProblemBody) {
    super(body.detail || body.title);
    this.name = "Problem";
    this.title = body.title;
    this.status = body.status;
    this.code = body.code ?? null;
    this.field = body.field ?? null;
    this.faults = body.faults ?? [];
  }

  /** Read the problem of an answer; an answer of another kind is described by its status. */
  static of(body: unknown, response: Response | undefined): Problem {
    if (response === undefined) {
      return new Problem({ title: "Mela cannot be reached", status: 0, detail: UNREACHABLE });
    }
    if (typeof body === "object" && body !== null && "title" in body) {
      return new Problem({ ...(body as ProblemBody), status: response.status });
    }
    const title = response.status >= 500 ? "Mela could not answer" : "Mela refused this";
    return new Problem({
      title,
      status: response.status,
      detail: `The API answered with ${response.status}.`,
    });
  }
}

const UNREACHABLE = "The API does not answer. Check the network, or ask whoever runs Mela.";

/** Return any thrown value as a problem, so that a page can show it. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) {
    return new Problem({ title: "Mela cannot be reached", status: 0, detail: UNREACHABLE });
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ title: "Something went wrong on this page", status: -1, detail });
}

/** Say whether what was asked for is not there, or is hidden: both read the same. */
export function isAbsent(error: unknown): boolean {
  return asProblem(error).status === 404;
}

/** Say whether a read that failed may succeed later: no answer came, or the server is overloaded or ill. */
export function mayPass(error: unknown): boolean {
  const { status } = asProblem(error);
  return status === 0 || status === 429 || status >= 500;
}

/** Say whether the API hides now what it may have shown before: what was read must not stay. */
export function isWithdrawn(error: unknown): boolean {
  return [403, 404, 410].includes(asProblem(error).status);
}
