import { Alert, List, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Info, Scale } from "lucide-react";
import type { SceneDetail, SceneReport } from "../../client";
import { getReportOptions } from "../../client/@tanstack/react-query.gen";
import { hasAnswer, Unanswered } from "../../components/Answer";
import { EmptyState } from "../../components/EmptyState";
import { Panel } from "../../components/Panel";
import { Evidence } from "./Evidence";
import { Holdout } from "./Holdout";
import { MonteCarlo } from "./MonteCarlo";
import { Robustness } from "./Robustness";
import styles from "./Scene.module.css";
import { WalkForward } from "./WalkForward";

/** What the best result is worth: luck, overfitting, other candles, other costs. */
export default function ReportTab({ scene }: { scene: SceneDetail }) {
  const found = useQuery(getReportOptions({ path: { scene_id: scene.scene_id } }));
  if (!hasAnswer(found)) return <Unanswered to={found} what="This scene" />;
  const { report, is_finished } = found.data;
  if (!report) {
    return (
      <EmptyState title={is_finished ? "There is no report" : "The report comes when the scene has finished"}>
        Mela judges a search as a whole, from all its runs.
      </EmptyState>
    );
  }
  return (
    <div className={styles.reportGrid}>
      <Words answer={found.data} />
      {report.statistics && <Evidence answer={found.data} statistics={report.statistics} />}
      {report.walk_forward && <WalkForward walk={report.walk_forward} />}
      {report.holdout && <Holdout holdout={report.holdout} isRecorded={report.recorded ?? true} />}
      {report.robustness && <Robustness robustness={report.robustness} />}
      {report.monte_carlo && <MonteCarlo monteCarlo={report.monte_carlo} />}
    </div>
  );
}

function Words({ answer }: { answer: SceneReport }) {
  const [first, ...others] = answer.words;
  return (
    <Panel title="In words">
      {answer.report?.reason && (
        <Alert color="yellow" variant="light" icon={<Info size={18} aria-hidden />} mb="sm">
          {answer.report.reason}
        </Alert>
      )}
      {first && (
        <Text className={styles.verdict} fw={550}>
          <Scale size={18} aria-hidden style={{ verticalAlign: -3, marginRight: 8 }} />
          {first}
        </Text>
      )}
      <List size="sm" spacing={6} mt="sm">
        {others.map((sentence) => (
          <List.Item key={sentence}>{sentence}</List.Item>
        ))}
      </List>
    </Panel>
  );
}
