import { SegmentedControl, Stack, Text } from "@mantine/core";
import { Panel } from "../../components/Panel";
import styles from "./NewScene.module.css";
import { NumberField } from "./NumberField";
import { ParamRow } from "./ParamRow";
import { useFault, useScene } from "./sceneContext";
import { at } from "./sceneText";
import type { ParamField } from "./schema";

/** Costs as markets have them; fractions of the notional of each fill. */
const PRESETS = [
  { label: "Mela's default", fee: undefined, slippage: undefined },
  { label: "maker", fee: 0.0002, slippage: 0 },
  { label: "stocks", fee: 0, slippage: 0.0005 },
  { label: "twice the default", fee: 0.002, slippage: 0.001 },
  { label: "none", fee: 0, slippage: 0 },
] as const;

const OWN = "own";

const exit = (name: string, description: string): ParamField => ({
  name,
  kind: "number",
  options: [],
  canBeNull: true,
  default: null,
  example: "",
  isRequired: false,
  description,
  bounds: "",
});

const EXITS: readonly ParamField[] = [
  exit("stop_loss", "loss that closes the position: 5 % or 0.05"),
  exit("take_profit", "profit that closes the position"),
  exit("trailing_stop", "fraction below the highest high since the entry"),
];

/** Money, costs, sides and exits. */
export function TradingSection() {
  const { scene, isLocked, edit } = useScene();
  const fee = numberAt(scene, ["costs", "fee"]);
  const slippage = numberAt(scene, ["costs", "slippage"]);
  const preset = PRESETS.find((one) => one.fee === fee && one.slippage === slippage)?.label ?? OWN;
  const direction = typeof scene.direction === "string" ? scene.direction : "long";
  const cashFault = useFault("cash");
  const feeFault = useFault("costs.fee", "costs");
  const slippageFault = useFault("costs.slippage");
  const directionFault = useFault("direction");
  const choose = (label: string) => {
    const next = PRESETS.find((one) => one.label === label);
    if (next)
      edit(
        { path: ["costs", "fee"], value: next.fee },
        { path: ["costs", "slippage"], value: next.slippage },
      );
  };
  return (
    <Panel title="Money, costs and exits">
      <Stack gap="sm">
        <SegmentedControl
          aria-label="Costs"
          data={[
            ...PRESETS.map((one) => one.label),
            ...(preset === OWN ? [{ value: OWN, label: "own" }] : []),
          ]}
          value={preset}
          onChange={choose}
          disabled={isLocked}
          className={styles.wrapping}
        />
        <div className={styles.grid}>
          <NumberField
            label="Cash"
            description="in the quote currency"
            placeholder="10000"
            value={numberAt(scene, ["cash"])}
            onValue={(value) => edit({ path: ["cash"], value })}
            disabled={isLocked}
            error={cashFault}
          />
          <NumberField
            label="Fee per fill"
            description="0.1 % or 0.001"
            placeholder="0.001"
            value={fee}
            onValue={(value) => edit({ path: ["costs", "fee"], value })}
            disabled={isLocked}
            error={feeFault}
          />
          <NumberField
            label="Slippage per fill"
            description="0.05 % or 0.0005"
            placeholder="0.0005"
            value={slippage}
            onValue={(value) => edit({ path: ["costs", "slippage"], value })}
            disabled={isLocked}
            error={slippageFault}
          />
        </div>
        <div>
          <Text size="sm" fw={500} mb={4}>
            Sides
          </Text>
          <SegmentedControl
            aria-label="Sides"
            data={["long", "short", "both"]}
            value={direction}
            onChange={(next) => edit({ path: ["direction"], value: next === "long" ? undefined : next })}
            disabled={isLocked}
          />
          {directionFault && (
            <Text size="xs" c="var(--mantine-color-error)">
              {directionFault}
            </Text>
          )}
        </div>
        <div>
          {EXITS.map((field) => (
            <ParamRow
              key={field.name}
              path={`exits.${field.name}`}
              label={field.name.replace("_", " ")}
              field={field}
            />
          ))}
        </div>
      </Stack>
    </Panel>
  );
}

function numberAt(scene: Parameters<typeof at>[0], path: string[]): number | undefined {
  const value = at(scene, path);
  return typeof value === "number" ? value : undefined;
}
