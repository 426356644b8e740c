// What failed connections are called, from the errors that Node gives.

import assert from "node:assert/strict";
import { test } from "node:test";

import { networkError } from "./network-error.ts";

const URL_OF = new URL("https://registry.example:5000/v2/");
const failed = (code: string, more: object = {}): Error => Object.assign(new Error("connect"), { code, ...more });

test("networkError: names the proxy that is down, not the registry behind it", () => {
  const error = networkError(URL_OF, failed("ECONNREFUSED"), new URL("http://user:secret@proxy.example:3128"));
  assert.equal(
    error.message,
    'cannot reach registry "registry.example:5000": the proxy proxy.example:3128 cannot be reached: connection refused',
  );
  assert.match(error.hint ?? "", /HTTPS_PROXY/);
  assert.equal(networkError(URL_OF, failed("ECONNREFUSED")).what, "connection refused");
});

test("networkError: says whom a certificate is for", () => {
  const cert = { subjectaltname: "DNS:other.example, IP Address:10.0.0.1" };
  const error = networkError(URL_OF, failed("ERR_TLS_CERT_ALTNAME_INVALID", { cert }));
  assert.equal(error.what, "certificate is for another host: other.example, 10.0.0.1");
  assert.equal(networkError(URL_OF, failed("ERR_TLS_CERT_ALTNAME_INVALID")).what, "certificate is for another host");
});

for (const [code, text, what] of [
  [
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "tlsv13 alert certificate required",
    /wants .* \(certificate required\)$/,
  ],
  ["EPROTO", "ssl/tls alert handshake failure", /wants .* \(handshake failure\)$/],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "tlsv1 alert unknown ca", /refuses .* \(unknown ca\)$/],
] as const) {
  test(`networkError: says that a certificate is to be shown: ${text}`, () => {
    const raw = new Error(`write EPROTO 40FD:error:0A000410:SSL routines:ssl3_read_bytes:${text}:rec_layer_s3.c:918`);
    const error = networkError(URL_OF, Object.assign(raw, { code }));
    assert.match(error.message, what);
    assert.match(error.hint ?? "", /client\.cert with client\.key/);
  });
}

test("networkError: what has no words of ours keeps the system's", () => {
  assert.equal(networkError(URL_OF, failed("EWEIRD")).message.endsWith("connection failed: connect"), true);
});
