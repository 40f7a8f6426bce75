import { defineConfig } from "@hey-api/openapi-ts";

// The types and calls of the API, from the file that `python -m api.schema` writes.
export default defineConfig({
  input: "openapi.json",
  output: { path: "src/client", postProcess: [] },
  plugins: [
    { name: "@hey-api/typescript", enums: false },
    { name: "@hey-api/client-fetch", baseUrl: false, throwOnError: true },
    "@hey-api/sdk",
    { name: "@tanstack/react-query", queryOptions: true, mutationOptions: false },
  ],
});
