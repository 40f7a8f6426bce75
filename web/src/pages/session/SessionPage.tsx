import { Stack, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { TradingSessionDetail } from "../../client";
import { getTradingSessionOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { Panel } from "../../components/Panel";
import { freshened } from "../../events";
import { SESSION_TABS, type SessionTab } from "../../routes";
import { useLatestSession, useWatch } from "../../useEvents";
import { Asked } from "./Asked";
import { DriftTab } from "./DriftTab";
import { Equity } from "./Equity";
import { FillsTab } from "./FillsTab";
import { Heading } from "./Heading";
import { LogTab } from "./LogTab";
import { Notices } from "./Notices";
import { OrdersTab } from "./OrdersTab";
import { PositionsTab } from "./PositionsTab";
import { RiskTab } from "./RiskTab";
import styles from "./Session.module.css";
import { Tiles } from "./Tiles";
import { TradesTab } from "./TradesTab";

const route = getRouteApi("/inside/trading/$sessionId");

const NAMES: Record<SessionTab, string> = {
  positions: "Positions",
  orders: "Orders",
  fills: "Fills",
  trades: "Round trips",
  risk: "Risk",
  drift: "Drift",
  log: "Log",
  session: "What was asked",
};

/** A trading session: how it is, what it holds, ordered and was refused, and the kill switch. */
export default function SessionPage() {
  const { sessionId } = route.useParams();
  useWatch("trading");
  const found = useQuery({
    ...getTradingSessionOptions({ path: { session_id: sessionId } }),
    refetchInterval: 15_000,
  });
  // What was read stays while the API does not answer; a page of live trading must not vanish.
  if (!hasAnswer(found)) return <Unanswered to={found} what="This session" />;
  const { data } = found;
  return <Shown key={sessionId} detail={data} />;
}

function Shown({ detail }: { detail: TradingSessionDetail }) {
  const session = freshened(detail.session, useLatestSession(detail.session.session_id));
  const { tab = "positions" } = route.useSearch();
  const navigate = useNavigate();
  const id = session.session_id;
  const go = (next: string | null) =>
    void navigate({
      to: "/trading/$sessionId",
      params: { sessionId: id },
      search: { tab: next as SessionTab },
      replace: true,
      resetScroll: false,
    });
  return (
    <Stack gap="md">
      <title>{`${session.name} · Mela`}</title>
      <Heading session={session} />
      <Notices session={session} commands={detail.commands} />
      <Tiles session={session} />
      <Equity session={session} />
      <Panel>
        <Tabs value={tab} onChange={go} keepMounted={false}>
          <Tabs.List mb="md" className={styles.tabs}>
            {SESSION_TABS.map((one) => (
              <Tabs.Tab key={one} value={one}>
                {NAMES[one]}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="positions">
            <PositionsTab session={session} />
          </Tabs.Panel>
          <Tabs.Panel value="orders">
            <OrdersTab sessionId={id} />
          </Tabs.Panel>
          <Tabs.Panel value="fills">
            <FillsTab sessionId={id} />
          </Tabs.Panel>
          <Tabs.Panel value="trades">
            <TradesTab sessionId={id} quote={session.quote} />
          </Tabs.Panel>
          <Tabs.Panel value="risk">
            <RiskTab session={session} />
          </Tabs.Panel>
          <Tabs.Panel value="drift">
            <DriftTab sessionId={id} quote={session.quote} />
          </Tabs.Panel>
          <Tabs.Panel value="log">
            <LogTab sessionId={id} />
          </Tabs.Panel>
          <Tabs.Panel value="session">
            <Asked yaml={detail.yaml} sessionId={id} />
          </Tabs.Panel>
        </Tabs>
      </Panel>
    </Stack>
  );
}
