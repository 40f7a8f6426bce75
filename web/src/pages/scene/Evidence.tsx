import { Text } from "@mantine/core";
import type { SceneReport, StatisticsReport } from "../../client";
import { formatNumber } from "../../components/format";
import { Panel } from "../../components/Panel";
import { NumberTable } from "./NumberTable";

interface Props {
  answer: SceneReport;
  statistics: StatisticsReport;
}

/** Could the best of so many tries be luck? */
export function Evidence({ answer, statistics }: Props) {
  const winner = answer.report?.winner;
  return (
    <Panel title="Could it be luck?">
      {statistics.reason && <Text size="sm">{statistics.reason}</Text>}
      <NumberTable
        label="Evidence against luck"
        rows={[
          {
            name: "Tries",
            value: formatNumber(statistics.n_trials, "count"),
            means:
              "Runs of this strategy on these instruments and dates, in any scene. At least so many were tried.",
          },
          {
            name: "Tries that differ",
            value: formatNumber(statistics.n_effective, "count"),
            means: "Similar runs count as one.",
          },
          {
            name: "Sharpe ratio of the best",
            value: formatNumber(winner?.sharpe),
            means: winner && winnerWords(winner.choice),
          },
          {
            name: "Best Sharpe ratio that luck alone would bring",
            value: formatNumber(answer.expected_best_sharpe),
            means: "Expected of so many tries without any skill.",
          },
          {
            name: "Deflated Sharpe ratio",
            value: formatNumber(statistics.dsr, "probability"),
            means: `Probability that the skill is real, the number of tries considered. ${
              statistics.certified ? "Above 95 %: convincing." : "Below 95 %: not convincing."
            }`,
          },
          {
            name: "Probability of overfitting (PBO)",
            value: formatNumber(statistics.pbo, "probability"),
            means:
              "How often the best on one half of the candles falls below the median on the other half. Near 50 %, choosing does not help.",
          },
          {
            name: "Probabilistic Sharpe ratio",
            value: formatNumber(statistics.psr, "probability"),
            means: "Probability that the Sharpe ratio is above 0, as if it had been the only try.",
          },
          {
            name: "Against buying and holding (SPA)",
            value:
              statistics.spa_p === null || statistics.spa_p === undefined
                ? "–"
                : `p = ${formatNumber(statistics.spa_p)}`,
            means:
              "How probable so good a best try is if none beats buying and holding. Small is convincing.",
          },
        ]}
      />
    </Panel>
  );
}

function winnerWords(choice: Record<string, unknown> | undefined): string {
  const words = Object.entries(choice ?? {}).map(
    ([path, value]) => `${path.replace(/^strategy\.params\./, "")} ${value ?? "none"}`,
  );
  return words.length > 0 ? `With ${words.join(", ")}.` : "";
}
