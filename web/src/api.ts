import { client } from "./client/client.gen";
import { Problem } from "./problem";

const BASE = "/api/v1";
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

let csrfToken = "";

/** Keep the token that unsafe calls of this session carry in `X-CSRF-Token`. */
export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}

/** Add to an unsafe request what proves that this page sent it. */
export function withCsrf(method: string, headers: Headers): Headers {
  if (!SAFE.has(method.toUpperCase()) && csrfToken) headers.set("X-CSRF-Token", csrfToken);
  return headers;
}

/** Make the generated calls send what the API wants, and throw a Problem where it refuses. */
export function configureClient(): void {
  client.setConfig({ baseUrl: "", credentials: "same-origin", throwOnError: true });
  client.interceptors.request.use((request) => {
    withCsrf(request.method, request.headers);
    return request;
  });
  client.interceptors.error.use((error, response) => {
    const isAborted = error instanceof DOMException && error.name === "AbortError";
    if (isAborted || response?.ok) return error;
    return Problem.of(error, response);
  });
}

type Scalar = string | number | boolean | null | undefined;

export interface Call {
  query?: Record<string, Scalar | readonly Scalar[]>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Return `/api/v1` + path + query; null, undefined and "" are left out, lists are repeated. */
export function address(path: string, query: Call["query"] = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined && item !== "") search.append(name, String(item));
    }
  }
  const text = search.toString();
  return `${BASE}${path}${text ? `?${text}` : ""}`;
}

/** Ask the API and return its JSON (undefined where it answers with nothing); throws a Problem. */
export async function call<Answer>(method: string, path: string, options: Call = {}): Promise<Answer> {
  const headers = withCsrf(method, new Headers({ Accept: "application/json", ...options.headers }));
  let payload: string | undefined;
  if (options.body !== undefined) {
    headers.set("Content-Type", "application/json");
    payload = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(address(path, options.query), {
      method,
      headers,
      body: payload,
      signal: options.signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw Problem.of(null, undefined);
  }
  if (response.status === 204) return undefined as Answer;
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const body: unknown = isJson ? await response.json() : await response.text();
  if (!response.ok) throw Problem.of(body, response);
  return body as Answer;
}

export const get = <Answer>(path: string, query?: Call["query"], signal?: AbortSignal) =>
  call<Answer>("GET", path, { query, signal });
export const post = <Answer>(path: string, body?: unknown, headers?: Record<string, string>) =>
  call<Answer>("POST", path, { body, headers });
export const patch = <Answer>(path: string, body: unknown) => call<Answer>("PATCH", path, { body });
export const put = <Answer>(path: string, body: unknown) => call<Answer>("PUT", path, { body });
export const remove = <Answer>(path: string) => call<Answer>("DELETE", path);
