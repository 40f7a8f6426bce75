import { Stack, Tabs, Title } from "@mantine/core";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { DATA_TABS, type DataTab } from "../../routes";
import { Backfills } from "./Backfills";
import { CoverageTab } from "./CoverageTab";
import { QualityTab } from "./QualityTab";
import { StaleTab } from "./StaleTab";
import { WatchTab } from "./WatchTab";

const route = getRouteApi("/inside/data");

const NAMES: Record<DataTab, string> = {
  coverage: "Coverage",
  quality: "Quality",
  stale: "Stale results",
  watch: "Watch list",
  backfills: "Backfills",
};

/** Candles: which there are, what is wrong with them, and how more are loaded. */
export default function DataPage() {
  const { tab = "coverage" } = route.useSearch();
  const navigate = useNavigate();
  const go = (next: string | null) =>
    void navigate({ to: "/data", search: (old) => ({ ...old, tab: next as DataTab }) });
  return (
    <Stack gap="md">
      <title>{`${NAMES[tab]} · Mela`}</title>
      <Title order={1}>Data</Title>
      <Tabs value={tab} onChange={go} keepMounted={false}>
        <Tabs.List mb="md">
          {DATA_TABS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {NAMES[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="coverage">
          <CoverageTab />
        </Tabs.Panel>
        <Tabs.Panel value="quality">
          <QualityTab />
        </Tabs.Panel>
        <Tabs.Panel value="stale">
          <StaleTab />
        </Tabs.Panel>
        <Tabs.Panel value="watch">
          <WatchTab />
        </Tabs.Panel>
        <Tabs.Panel value="backfills">
          <Backfills />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
