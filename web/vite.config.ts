import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The API that `npm run dev` asks; a running stack's address is in `mela status`.
const api = process.env.MELA_WEB_API ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  // The API puts a nonce of each answer in the place of this word, so that styles made at run time
  // are allowed by a policy without 'unsafe-inline'.
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    manifest: true,
  },
  server: { proxy: { "/api": { target: api, changeOrigin: false } } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"], setupFiles: ["src/testing.ts"] },
});
