import { Alert, List, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { CircleX, Info, TriangleAlert } from "lucide-react";
import type { SceneDetail } from "../../client";
import { asSentence, formatNumber } from "../../components/format";

/** What one has to know before one believes the numbers: on top, not hidden. */
export function Said({ scene }: { scene: SceneDetail }) {
  return (
    <>
      {scene.rejection && (
        <Alert
          color="orange"
          variant="light"
          title="Rejected: no run was executed"
          icon={<CircleX size={18} aria-hidden />}
        >
          <Text size="sm">
            {scene.rejection.field && <span className="mela-code">{scene.rejection.field}: </span>}
            {scene.rejection.message}
          </Text>
          <Text size="sm" mt={6}>
            <Link to="/scenes/new" search={{ from: scene.scene_id }}>
              Mend it in a new scene
            </Link>
          </Text>
        </Alert>
      )}
      {scene.failures.length > 0 && (
        <Alert
          color="orange"
          variant="light"
          title={`${formatNumber(scene.failed, "count")} of ${formatNumber(scene.runs, "count")} runs failed`}
          icon={<CircleX size={18} aria-hidden />}
        >
          <List size="sm">
            {scene.failures.map((failure) => (
              <List.Item key={`${failure.kind}${failure.message}`}>
                {formatNumber(failure.runs, "count")} × {failure.kind.replaceAll("_", " ")}: {failure.message}
                {failure.file && (
                  <span className="mela-code">
                    {" "}
                    ({failure.file}
                    {failure.line !== null && `:${failure.line}`})
                  </span>
                )}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {scene.warnings.length > 0 && (
        <Alert
          color="yellow"
          variant="light"
          title={scene.warnings.length === 1 ? "One warning" : `${scene.warnings.length} warnings`}
          icon={<TriangleAlert size={18} aria-hidden />}
        >
          <List size="sm">
            {scene.warnings.map((warning) => (
              <List.Item key={`${warning.code}${warning.run_key}`}>
                {asSentence(warning.message)}
                {warning.runs !== null &&
                  warning.runs > 1 &&
                  ` (${formatNumber(warning.runs, "count")} runs)`}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {scene.pruned && (
        <Alert color="gray" variant="light" icon={<Info size={18} aria-hidden />}>
          {scene.pruned}
        </Alert>
      )}
    </>
  );
}
