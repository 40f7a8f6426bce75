// Unpack the Chromium of @sparticuz/chromium into TMPDIR, and say where its program lies.
import chromium from "@sparticuz/chromium";

console.log(await chromium.executablePath());
