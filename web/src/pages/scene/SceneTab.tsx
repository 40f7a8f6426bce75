import { Button, CopyButton, Group, Text } from "@mantine/core";
import { lazy, Suspense } from "react";
import { patiently } from "../../apiReturn";
import type { SceneDetail } from "../../client";
import { PageLoading } from "../../components/PageLoading";
import { Panel } from "../../components/Panel";

const YamlEditor = lazy(() => patiently(() => import("../new-scene/YamlEditor")));

/** The question as it was asked. */
export default function SceneTab({ scene }: { scene: SceneDetail }) {
  return (
    <Panel
      title="The scene as it was asked"
      aside={
        <CopyButton value={scene.yaml}>
          {({ copied, copy }) => (
            <Button size="xs" variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
      }
    >
      <Suspense fallback={<PageLoading />}>
        <YamlEditor label="Scene as YAML, to read" text={scene.yaml} />
      </Suspense>
      <Group mt="sm">
        <Text size="sm" className="mela-muted">
          scene_id <span className="mela-code">{scene.scene_id}</span>
        </Text>
      </Group>
    </Panel>
  );
}
