import { Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { patiently } from "../../apiReturn";
import {
  getRunOptions,
  getTradingSessionOptions,
  listSeriesOptions,
} from "../../client/@tanstack/react-query.gen";

import { Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { PageLoading } from "../../components/PageLoading";
import { Panel } from "../../components/Panel";
import { may, useMe } from "../../session";
import { firstSession, sessionOfRun } from "./firstSession";
import styles from "./NewSession.module.css";
import { Start } from "./Start";
import { useSessionCheck } from "./useSessionCheck";

const YamlEditor = lazy(() => patiently(() => import("../new-scene/YamlEditor")));
const route = getRouteApi("/inside/trading/new");

/** A new session: its YAML, what is wrong with it, and the button that starts it. */
export default function NewSessionPage() {
  const me = useMe();
  const { run, like } = route.useSearch();
  const fromRun = useQuery({
    ...getRunOptions({ path: { run_key: run ?? "" } }),
    enabled: run !== undefined,
  });
  const fromLike = useQuery({
    ...getTradingSessionOptions({ path: { session_id: like ?? "" } }),
    enabled: run === undefined && like !== undefined,
  });
  const isAnew = run === undefined && like === undefined;
  const series = useQuery({ ...listSeriesOptions(), enabled: isAnew, retry: 1 });
  const title = <title>Start a session · Mela</title>;
  if (!may(me, "trader")) {
    return (
      <>
        {title}
        <Title order={1}>Start a session</Title>
        <EmptyState title="You may read, not trade">An administrator can make you a trader.</EmptyState>
      </>
    );
  }
  const model = run !== undefined ? fromRun : like !== undefined ? fromLike : series;
  if (!isAnew && model.isError && model.data === undefined) return <Unanswered to={model} />;
  if (model.isPending) return <PageLoading />;
  const text =
    fromRun.data !== undefined
      ? sessionOfRun(fromRun.data.run)
      : (fromLike.data?.yaml ?? firstSession(series.data?.items ?? []));
  return (
    <>
      {title}
      <Writing key={`${run} ${like}`} first={text} />
    </>
  );
}

function Writing({ first }: { first: string }) {
  const [text, setText] = useState(first);
  const check = useSessionCheck(text);
  return (
    <Stack gap="sm">
      <div>
        <Title order={1}>Start a session</Title>
        <Text size="sm" className="mela-muted">
          The strategy trades from the next candle on. With <code>broker: {"{kind: paper}"}</code> no order
          leaves Mela.
        </Text>
      </div>
      <div className={styles.columns}>
        <Panel title="The session as YAML">
          <Suspense fallback={<PageLoading />}>
            <YamlEditor label="Session as YAML" text={text} onText={setText} marks={check.marks} />
          </Suspense>
        </Panel>
        <Panel title="This session">
          <Start text={text} check={check} />
        </Panel>
      </div>
    </Stack>
  );
}
