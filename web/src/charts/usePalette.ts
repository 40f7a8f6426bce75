import { useComputedColorScheme } from "@mantine/core";
import { type Palette, paletteOf } from "./colours";

/** Return the colours of the theme that is shown. */
export function usePalette(): Palette {
  return paletteOf(useComputedColorScheme("light", { getInitialValueInEffect: false }));
}
