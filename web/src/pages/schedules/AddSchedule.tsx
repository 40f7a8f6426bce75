import { Button, type ComboboxItem, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { addSchedule, getScene, type SceneRow } from "../../client";
import { listScenesOptions, listSchedulesQueryKey } from "../../client/@tanstack/react-query.gen";
import { ProblemView } from "../../components/ProblemView";
import { asProblem } from "../../problem";

const NEWEST = 100;
const FOUND = 50;
const TYPING_MS = 250;

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
  const [text, setText] = useState("");
  // A chosen scene stands in the field by its name: searching for that would leave out all others.
  const [chosen, setChosen] = useState<ComboboxItem | null>(null);
  const [asked] = useDebouncedValue(text === chosen?.label ? "" : text.trim(), TYPING_MS);
  const newest = useQuery(listScenesOptions({ query: { limit: NEWEST } }));
  const older = useQuery({
    ...listScenesOptions({ query: { limit: FOUND, text: asked } }),
    enabled: asked !== "",
  });
  const words = asked.toLowerCase();
  const fitting = (newest.data?.items ?? []).map(optionOf).filter(({ label }) => fits(label, words));
  const all = [...fitting, ...(asked ? (older.data?.items ?? []).map(optionOf) : [])];
  if (chosen) all.push(chosen);
  const data = [...new Map(all.map((option) => [option.value, option])).values()];
  const isSearching = newest.isPending || older.isLoading;
  const hasFailed = newest.isError || older.isError;
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
          placeholder={newest.isPending ? "Loading…" : "Type to search in all scenes"}
          required
          searchable
          maxDropdownHeight={260}
          value={sceneId}
          onChange={(value, option) => {
            setSceneId(value);
            setChosen(value === null ? null : option);
          }}
          onSearchChange={setText}
          // The API has searched already, in notes and tags, too.
          filter={({ options }) => options}
          nothingFoundMessage={
            isSearching ? "Searching…" : hasFailed ? "Mela does not answer" : "No scene fits"
          }
          data={data}
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

/** Return how a scene stands in the list: by its name, what it runs, and on what. */
function optionOf(scene: SceneRow): ComboboxItem {
  const parts = [
    scene.name ?? scene.scene_id.slice(0, 8),
    scene.strategies.join(", "),
    scene.instruments.join(", "),
  ];
  return { value: scene.scene_id, label: parts.filter(Boolean).join(" · ") };
}

/** Say whether words stand in the name of an option, as they are written. */
function fits(label: string, words: string): boolean {
  return label.toLowerCase().includes(words);
}
