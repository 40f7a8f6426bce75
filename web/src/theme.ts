import { createTheme, type MantineColorsTuple } from "@mantine/core";

// A calm blue; shades 6 (light) and 8 (dark) carry white text at a contrast of 4.5 and more.
const ink: MantineColorsTuple = [
  "#eef3fb",
  "#d9e4f5",
  "#b3c8ea",
  "#8baadf",
  "#6991d5",
  "#4b79c8",
  "#2a5db0",
  "#264f96",
  "#21447f",
  "#1a3868",
];

// Greys of the dark theme: the page is 8, what stands on it 7, as in theme.css.
const dark: MantineColorsTuple = [
  "#e3e9ee",
  "#c9d0d8",
  "#a3acb8",
  "#7d8794",
  "#444c57",
  "#383f49",
  "#262b32",
  "#1c1f24",
  "#15171b",
  "#0f1114",
];

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';
const MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace';

export const theme = createTheme({
  colors: { ink, dark },
  primaryColor: "ink",
  primaryShade: { light: 6, dark: 6 },
  autoContrast: true,
  fontFamily: SANS,
  fontFamilyMonospace: MONO,
  defaultRadius: "sm",
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  headings: {
    fontFamily: SANS,
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "1.375rem", lineHeight: "1.3" },
      h2: { fontSize: "1.0625rem", lineHeight: "1.35" },
      h3: { fontSize: "0.9375rem", lineHeight: "1.4" },
    },
  },
  components: {
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250, multiline: true, maw: 340 } },
    Button: { defaultProps: { size: "sm" } },
    Anchor: { defaultProps: { underline: "hover" } },
  },
});
