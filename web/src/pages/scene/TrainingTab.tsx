import { Code, Stack, Text } from "@mantine/core";
import type { SceneDetail } from "../../client";
import { Panel } from "../../components/Panel";

/** What came of a training, or how far it is. */
export function TrainingTab({ scene }: { scene: SceneDetail }) {
  const training = scene.training;
  if (!training) return <Text size="sm">The planner has not read it yet.</Text>;
  if (training.error) {
    return (
      <Panel title="No model came of it">
        <Text size="sm">
          {training.error}: {training.sentence}
        </Text>
      </Panel>
    );
  }
  if (training.version === null) {
    const where = training.doing ? `, at ${training.doing}` : "";
    return (
      <Text size="sm">
        {scene.recorded} of {scene.runs} fits are done{where}.
      </Text>
    );
  }
  return (
    <Panel title={`models:/${training.model}/${training.version}`}>
      <Stack gap="xs">
        <Text size="sm">{training.report?.split("\n")[0]}</Text>
        <Code block>{training.report}</Code>
      </Stack>
    </Panel>
  );
}
