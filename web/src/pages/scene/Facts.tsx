import { Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import type { SceneDetail } from "../../client";
import { Span } from "../../components/Instant";
import { shortInstruments } from "../scenes/sceneColumns";

/** What was asked, on one line. */
export function Facts({ scene }: { scene: SceneDetail }) {
  return (
    <Text size="sm" component="p" m={0}>
      {scene.kind === "train" && "A model is trained"}
      {scene.strategies.map((name, place) => (
        <Fragment key={name}>
          {place > 0 && ", "}
          <Link to="/strategies/$name" params={{ name }} className="mela-quiet-link">
            {name}
          </Link>
        </Fragment>
      ))}
      <span className="mela-muted"> on </span>
      <span title={scene.instruments.join(", ")}>{shortInstruments(scene.instruments, 6)}</span>
      {scene.mode === "together" && <span className="mela-muted"> in one account</span>}
      <span className="mela-muted">, candles of </span>
      {scene.interval}
      <span className="mela-muted">, </span>
      <Span start={scene.start} end={scene.end} />
      <span className="mela-muted"> UTC</span>
    </Text>
  );
}
