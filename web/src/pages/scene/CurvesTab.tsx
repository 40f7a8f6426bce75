import { Group, SegmentedControl, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import type { Palette } from "../../charts/colours";
import { curvesOption } from "../../charts/curves";
import { EChart } from "../../charts/EChart";
import type { SceneDetail } from "../../client";
import { getCurvesOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { formatNumber } from "../../components/format";
import { Panel } from "../../components/Panel";

/** The equity of the best few runs over each other. */
export default function CurvesTab({ scene }: { scene: SceneDetail }) {
  const [most, setMost] = useState("5");
  const found = useQuery(
    getCurvesOptions({ path: { scene_id: scene.scene_id }, query: { most: Number(most), points: 800 } }),
  );
  const curves = found.data?.curves;
  const cash = found.data?.cash;
  const option = useCallback(
    (palette: Palette, isSmall: boolean) =>
      curvesOption(
        {
          curves: (curves ?? []).map((curve) => ({
            name: `#${curve.rank}`,
            t: curve.t,
            v: curve.equity,
          })),
          format: (value) => formatNumber(value, "money"),
          level: cash,
          isZoomable: true,
        },
        palette,
        isSmall,
      ),
    [curves, cash],
  );
  if (!hasAnswer(found) || !curves) return <Unanswered to={found} what="This scene" />;
  if (curves.length === 0) {
    return (
      <EmptyState title="No curve is kept yet">
        Mela keeps the equity curves of a scene's best runs when it has finished.
      </EmptyState>
    );
  }
  return (
    <Panel
      title="Equity, in the quote currency"
      aside={
        <SegmentedControl
          size="xs"
          aria-label="Curves"
          data={["3", "5", "10"]}
          value={most}
          onChange={setMost}
        />
      }
    >
      <EChart
        label={`Equity of the best ${curves.length} runs. ${curves.map((curve) => `#${curve.rank} ends at ${formatNumber(curve.equity.at(-1), "money")}`).join("; ")}.`}
        height={400}
        option={option}
      />
      <Group gap="md" mt="xs">
        {curves.map((curve) => (
          <Text key={curve.run_key} size="sm">
            <Link to="/runs/$runKey" params={{ runKey: curve.run_key }} className="mela-quiet-link">
              #{curve.rank}
            </Link>{" "}
            <span className="mela-muted">{curve.label}</span>
          </Text>
        ))}
      </Group>
    </Panel>
  );
}
