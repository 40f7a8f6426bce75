/** The shapes of marks, drawn on a canvas. */

import type { Shape } from "./colours";

/** Add the outline of a shape around a point to the current path; radius: in the canvas' pixels. */
export function trace(context: CanvasRenderingContext2D, shape: Shape, x: number, y: number, radius: number) {
  if (shape === "circle") {
    context.moveTo(x + radius * 0.8, y);
    context.arc(x, y, radius * 0.8, 0, 2 * Math.PI);
    return;
  }
  const points = OUTLINES[shape];
  points.forEach(([right, down], place) => {
    const at = [x + right * radius, y + down * radius] as const;
    if (place === 0) {
      context.moveTo(...at);
    } else {
      context.lineTo(...at);
    }
  });
  context.closePath();
}

type Outline = readonly (readonly [number, number])[];

function ring(corners: number, radii: readonly number[], turn: number): Outline {
  return Array.from({ length: corners }, (_, place) => {
    const angle = turn + (2 * Math.PI * place) / corners;
    const radius = radii[place % radii.length] as number;
    return [radius * Math.cos(angle), radius * Math.sin(angle)] as const;
  });
}

const ARM = 0.3;
const PLUS: Outline = [
  [-ARM, -1],
  [ARM, -1],
  [ARM, -ARM],
  [1, -ARM],
  [1, ARM],
  [ARM, ARM],
  [ARM, 1],
  [-ARM, 1],
  [-ARM, ARM],
  [-1, ARM],
  [-1, -ARM],
  [-ARM, -ARM],
];

function turned(outline: Outline, angle: number): Outline {
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return outline.map(([x, y]) => [x * cosine - y * sine, x * sine + y * cosine] as const);
}

const OUTLINES: Readonly<Record<Exclude<Shape, "circle">, Outline>> = {
  "triangle-up": ring(3, [1.1], -Math.PI / 2),
  "triangle-down": ring(3, [1.1], Math.PI / 2),
  cross: turned(PLUS, Math.PI / 4),
  plus: PLUS,
  star: ring(10, [1.15, 0.5], -Math.PI / 2),
  square: ring(4, [1.05], Math.PI / 4),
  diamond: ring(4, [1.1], 0),
  hexagon: ring(6, [1], 0),
};

/** Return a shape as the path of an SVG whose view box is `-1.3 -1.3 2.6 2.6`. */
export function svgPath(shape: Shape): string {
  if (shape === "circle") {
    return "M0.8 0A0.8 0.8 0 1 1 -0.8 0A0.8 0.8 0 1 1 0.8 0Z";
  }
  const points = OUTLINES[shape].map(([x, y]) => `${x.toFixed(3)} ${y.toFixed(3)}`);
  return `M${points.join("L")}Z`;
}
