import { expect, it } from "vitest";
import { compact } from "./axis";
import { LIGHT } from "./colours";
import { curvesOption, told } from "./curves";
import { distributionOption } from "./distribution";

it("tells the instant and each curve's value", () => {
  const points: { seriesName: string; value: [number, number | null] }[] = [
    { seriesName: "fast 5", value: [1_704_207_600_000, 10_250] },
    { seriesName: "fast 9", value: [1_704_207_600_000, null] },
  ];
  expect(told(points, compact)).toBe("2024-01-02 15:00 UTC\nfast 5  10.3K\nfast 9  –");
  expect(told([], compact)).toBe("");
});

it("tells curves apart by dashes when colours run out", () => {
  const curves = Array.from({ length: 10 }, (_, place) => ({ name: `${place}`, t: [0], v: [1] }));
  const { series } = curvesOption({ curves }, LIGHT, false) as { series: { lineStyle: { type: string } }[] };
  expect(series.map((one) => one.lineStyle.type).slice(7)).toEqual(["solid", "dashed", "dashed"]);
});

it("colours losing and gaining days apart", () => {
  const { series } = distributionOption([-0.02, -0.01, 0, 0.01], [1, 2, 3], LIGHT) as {
    series: { data: { itemStyle: { color: string } }[] }[];
  };
  expect(series[0]?.data.map((one) => one.itemStyle.color)).toEqual([
    LIGHT.falling,
    LIGHT.falling,
    LIGHT.rising,
  ]);
});
