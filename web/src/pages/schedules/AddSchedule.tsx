import { Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { addSchedule, getScene } from "../../client";
import { listScenesOptions, listSchedulesQueryKey } from "../../client/@tanstack/react-query.gen";
import { ProblemView } from "../../components/ProblemView";
import { asProblem } from "../../problem";

const RHYTHMS = [
  { value: "complete", label: "At each new candle" },
  { value: "0 6 * * *", label: "Daily at 06:00 UTC" },
  { value: "0 6 * * 1", label: "Mondays at 06:00 UTC" },
  { value: "0 6 1 * *", label: "On the first of a month at 06:00 UTC" },
  { value: "own", label: "A cron expression…" },
];

/** A form that lets a stored scene come again. */
export function AddSchedule({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const [sceneId, setSceneId] = useState<string | null>(null);
  const [name, setName] = useState("");
  const [span, setSpan] = useState("90d");
  const [rhythm, setRhythm] = useState("complete");
  const [cron, setCron] = useState("");
  const scenes = useQuery(listScenesOptions({ query: { limit: 100 } }));
  const add = useMutation({
    mutationFn: async () => {
      const { data } = await getScene({ path: { scene_id: sceneId ?? "" } });
      const every = rhythm === "own" ? cron : rhythm;
      return addSchedule({ body: { name, scene: data.scene, span, every } });
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: listSchedulesQueryKey() });
      onDone();
    },
  });
  const problem = add.error ? asProblem(add.error) : null;
  const faultOf = (field: string) => (problem?.field === field ? problem.message : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Select
          label="Scene"
          description="Its instruments, strategy and terms; start and end come from the span below"
          placeholder={scenes.isPending ? "Loading…" : "Choose one"}
          required
          searchable
          value={sceneId}
          onChange={setSceneId}
          data={(scenes.data?.items ?? []).map((scene) => ({
            value: scene.scene_id,
            label: [
              scene.name ?? scene.scene_id.slice(0, 8),
              scene.strategies.join(", "),
              scene.instruments.join(", "),
            ]
              .filter(Boolean)
              .join(" · "),
          }))}
        />
        <Group grow align="flex-start">
          <TextInput
            label="Name"
            required
            maxLength={100}
            value={name}
            error={faultOf("name")}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label="Span"
            description="before the newest candle: 90d, 8w, 6mo, 2y"
            inputWrapperOrder={["label", "input", "description", "error"]}
            required
            value={span}
            error={faultOf("span")}
            onChange={(event) => setSpan(event.currentTarget.value)}
          />
        </Group>
        <Group grow align="flex-start">
          <Select
            label="When"
            data={RHYTHMS}
            value={rhythm}
            allowDeselect={false}
            onChange={(value) => value && setRhythm(value)}
          />
          {rhythm === "own" && (
            <TextInput
              label="Cron expression, UTC"
              placeholder="0 6 * * 1"
              required
              value={cron}
              error={faultOf("every")}
              onChange={(event) => setCron(event.currentTarget.value)}
            />
          )}
        </Group>
        <Text size="xs" className="mela-muted">
          It is published once the candles of all its series are complete. Spans that were missed are not made
          up for.
        </Text>
        {add.error && <ProblemView error={add.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button type="submit" loading={add.isPending} disabled={!sceneId}>
            Add
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
