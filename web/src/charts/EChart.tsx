import { Skeleton } from "@mantine/core";
import type { ECElementEvent, EChartsOption, EChartsType } from "echarts";
import { useEffect, useRef, useState } from "react";
import { patiently } from "../apiReturn";
import { ProblemView } from "../components/ProblemView";
import type { Palette } from "./colours";
import { usePalette } from "./usePalette";

const SMALL = 560; // pixels: a phone

export type MakeOption = (palette: Palette, isSmall: boolean) => EChartsOption;

interface Props {
  /** What the chart says, for those who do not see it */
  label: string;
  height: number;
  /** Keep the same function while the data are the same: useCallback */
  option: MakeOption;
  onClick?: (event: ECElementEvent) => void;
  /** Called with the places of the lines that are left, as one selects on axes of parallel coordinates */
  onSelected?: (places: readonly number[]) => void;
}

/** A chart by ECharts that follows the theme and its own width. */
export function EChart({ label, height, option, onClick, onSelected }: Props) {
  const palette = usePalette();
  const box = useRef<HTMLDivElement>(null);
  const clicked = useRef(onClick);
  clicked.current = onClick;
  const selected = useRef(onSelected);
  selected.current = onSelected;
  const [chart, setChart] = useState<EChartsType | null>(null);
  const [isSmall, setSmall] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);

  useEffect(() => {
    let isGone = false;
    let made: EChartsType | null = null;
    let observer: ResizeObserver | null = null;
    patiently(() => import("./echarts"))
      .then(({ init }) => {
        const element = box.current;
        if (isGone || !element) return;
        made = init(element, null, { renderer: "canvas" }) as unknown as EChartsType;
        made.on("click", (event) => clicked.current?.(event as ECElementEvent));
        const lines = made;
        made.on("axisareaselected", () => selected.current?.(activeOf(lines)));
        setSmall(element.clientWidth < SMALL);
        setChart(made);
        observer = new ResizeObserver(() => {
          made?.resize();
          setSmall(element.clientWidth < SMALL);
        });
        observer.observe(element);
      })
      .catch(setFailure);
    return () => {
      isGone = true;
      observer?.disconnect();
      made?.dispose();
      setChart(null);
    };
  }, []);

  useEffect(() => {
    chart?.setOption(themed(option(palette, isSmall), palette), { notMerge: true });
  }, [chart, option, palette, isSmall]);

  if (failure) return <ProblemView error={failure} />;
  return (
    <div style={{ position: "relative", height }}>
      {!chart && <Skeleton height={height} />}
      <div ref={box} role="img" aria-label={label} style={{ position: "absolute", inset: 0 }} />
    </div>
  );
}

interface Lines {
  getSeriesByIndex: (place: number) => { getRawIndicesByActiveState: (state: string) => number[] };
}

/** Return which lines pass through what is selected on the axes, as the library's manual reads it. */
function activeOf(chart: EChartsType): readonly number[] {
  const { getModel } = chart as unknown as { getModel: () => Lines };
  return getModel.call(chart).getSeriesByIndex(0).getRawIndicesByActiveState("active");
}

/** Return an option with what all charts share: no animation, tooltips without inline styles. */
function themed(option: EChartsOption, palette: Palette): EChartsOption {
  return {
    animation: false,
    textStyle: { color: palette.faint, fontFamily: getComputedStyle(document.body).fontFamily },
    color: [...palette.lines],
    ...option,
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: palette.paper,
      borderColor: palette.grid,
      textStyle: { color: palette.ink, fontSize: 12 },
      ...(option.tooltip as object | undefined),
    },
  };
}
