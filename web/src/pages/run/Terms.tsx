import { Link } from "@tanstack/react-router";
import type { RunQuestion } from "../../client";
import { formatParam } from "../../components/format";
import { Span } from "../../components/Instant";
import styles from "./Run.module.css";
import { leavesOf } from "./terms";

/** What was asked: strategy and parameters, instruments, span, costs and the other terms. */
export function Terms({ run }: { run: RunQuestion }) {
  const asked = [...leavesOf(run.params), ...leavesOf(run.inputs ?? {}, "inputs")];
  return (
    <div className={styles.columns}>
      <dl className={styles.facts} aria-label="Parameters">
        <dt>strategy</dt>
        <dd>
          <Link to="/strategies/$name" params={{ name: run.strategy }} className="mela-quiet-link">
            {run.strategy}
          </Link>
        </dd>
        {asked.map((term) => (
          <Row key={term.path} name={term.path} value={term.value} />
        ))}
        <dt>instruments</dt>
        <dd>{run.instruments.join(", ")}</dd>
        <dt>interval</dt>
        <dd>{run.interval}</dd>
        <dt>span</dt>
        <dd>
          <Span start={run.start} end={run.end} />
        </dd>
      </dl>
      <dl className={styles.facts} aria-label="Terms">
        {leavesOf(run.terms).map((term) => (
          <Row key={term.path} name={term.path} value={term.value} />
        ))}
      </dl>
    </div>
  );
}

function Row({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{formatParam(value)}</dd>
    </>
  );
}
