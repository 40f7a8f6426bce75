import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useMemo, useState } from "react";
import { patiently } from "../../apiReturn";
import { getSceneOptions, listSeriesOptions } from "../../client/@tanstack/react-query.gen";
import { Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { PageLoading } from "../../components/PageLoading";
import { Panel } from "../../components/Panel";
import { may, useMe } from "../../session";
import { CandlesSection } from "./CandlesSection";
import { type Draft, firstText, forgetDraft, keepDraft, keptDraft } from "./draft";
import styles from "./NewScene.module.css";
import { Publish } from "./Publish";
import { SearchSection } from "./SearchSection";
import { StrategySection } from "./StrategySection";
import { SceneContext } from "./sceneContext";
import { TradingSection } from "./TradingSection";
import { useSceneText } from "./useSceneText";
import { Verdict } from "./Verdict";

const YamlEditor = lazy(() => patiently(() => import("./YamlEditor")));
const route = getRouteApi("/inside/scenes/new");
const KEEPING_MS = 400;

const EMPTY = { name: "", note: "", tags: [], isPrivate: false };

export default function NewScenePage() {
  const { from, strategy, instrument } = route.useSearch();
  const me = useMe();
  const [attempt, setAttempt] = useState(0);
  const kept = useMemo(
    () => (from || strategy || instrument ? null : keptDraft(me.user)),
    [from, strategy, instrument, me.user],
  );
  const model = useQuery({
    ...getSceneOptions({ path: { scene_id: from ?? "" } }),
    enabled: from !== undefined,
  });
  const series = useQuery({ ...listSeriesOptions(), enabled: from === undefined, retry: 1 });
  const title = <title>New scene · Mela</title>;

  if (!may(me, "trader")) {
    return (
      <>
        {title}
        <Title order={1}>New scene</Title>
        <EmptyState title="You may read, not ask">An administrator can make you a trader.</EmptyState>
      </>
    );
  }
  if (from && model.isError && model.data === undefined) return <Unanswered to={model} what="This scene" />;
  if ((from && model.isPending) || (!from && (kept === null || attempt > 0) && series.isPending))
    return <PageLoading />;

  const start: Draft =
    attempt === 0 && kept !== null
      ? kept
      : model.data
        ? { ...EMPTY, text: model.data.yaml, name: again(model.data.name), tags: [...model.data.tags] }
        : { ...EMPTY, text: firstText(series.data?.items ?? [], strategy ?? "sma_cross", instrument) };
  return (
    <>
      {title}
      <Writing
        key={`${from}${attempt}`}
        user={me.user}
        start={start}
        isKept={kept !== null && attempt === 0}
        onAnew={() => {
          forgetDraft(me.user);
          setAttempt(attempt + 1);
        }}
      />
    </>
  );
}

/** Name a scene that begins from another one. */
function again(name: string | null): string {
  return name ? `${name} (again)`.slice(0, 200) : "";
}

interface WritingProps {
  user: string;
  start: Draft;
  isKept: boolean;
  onAnew: () => void;
}

function Writing({ user, start, isKept, onAnew }: WritingProps) {
  const navigate = useNavigate();
  const [draft, setDraft] = useState(start);
  const keep = useDebouncedCallback((next: Draft) => keepDraft(user, next), {
    delay: KEEPING_MS,
    flushOnUnmount: true,
  });
  const change = useCallback(
    (some: Partial<Draft>) =>
      setDraft((before) => {
        const after = { ...before, ...some };
        keep(after);
        return after;
      }),
    [keep],
  );
  const onText = useCallback((text: string) => change({ text }), [change]);
  const { inHand, textFaults, marks, found, isChecking, error } = useSceneText(draft.text, onText);
  const isReady = textFaults.length === 0 && !isChecking && found?.is_valid === true;
  const onPublished = () => {
    keep.cancel();
    forgetDraft(user);
  };

  return (
    <SceneContext value={inHand}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={1}>New scene</Title>
          <Group gap="xs">
            {isKept && (
              <Text size="sm" className="mela-muted">
                Your draft is still here.
              </Text>
            )}
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                keep.cancel();
                onAnew();
                void navigate({ to: "/scenes/new", search: {} });
              }}
            >
              Start anew
            </Button>
          </Group>
        </Group>
        <div className={styles.columns}>
          <Stack gap="md">
            <StrategySection />
            <CandlesSection />
            <SearchSection />
            <TradingSection />
          </Stack>
          <div className={styles.side}>
            <Panel title="This scene">
              <Stack gap="md">
                <Verdict
                  scene={inHand.scene}
                  found={found}
                  isChecking={isChecking}
                  error={error}
                  textFaults={textFaults}
                />
                <Publish
                  scene={inHand.scene}
                  draft={draft}
                  onDraft={change}
                  isReady={isReady}
                  onPublished={onPublished}
                />
              </Stack>
            </Panel>
            <Panel
              title="The same as YAML"
              aside={
                <Text size="xs" className="mela-muted">
                  follows the form, and the form follows it
                </Text>
              }
            >
              <Suspense fallback={<PageLoading />}>
                <YamlEditor label="Scene as YAML" text={draft.text} onText={onText} marks={marks} />
              </Suspense>
            </Panel>
          </div>
        </div>
      </Stack>
    </SceneContext>
  );
}
