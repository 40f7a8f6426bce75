/** Return the nonce that the server gave this page for styles made at run time; "" in development. */
export function styleNonce(): string {
  const meta = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]');
  const nonce = meta?.nonce || meta?.getAttribute("nonce") || "";
  return nonce === "__CSP_NONCE__" ? "" : nonce;
}
