import type { IChartApi } from "lightweight-charts";

/** Show a picture of a chart while the page is printed: paper is narrower, and a chart learns that too late. */
export function fitPaper(chart: IChartApi, signal: AbortSignal): void {
  const drawn = chart.chartElement();
  let picture: HTMLCanvasElement | null = null;
  const begin = () => {
    picture = chart.takeScreenshot();
    picture.style.width = "100%";
    picture.style.height = "auto";
    drawn.before(picture);
    drawn.style.display = "none";
  };
  const end = () => {
    picture?.remove();
    drawn.style.display = "";
  };
  window.addEventListener("beforeprint", begin, { signal });
  window.addEventListener("afterprint", end, { signal });
}
