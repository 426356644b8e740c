// Defences of signatures by certificate, each rule of a chain and of names, and of the policy that asks for them.

import type { Defence } from "./defence.ts";

const TEST = "packages/distribution/src/signing/trust-in-authorities.test.ts";
const CHAIN = "packages/distribution/src/signing/certificate-chain.ts";
const CERTIFICATE = "packages/distribution/src/signing/signer-certificate.ts";
const TRUST = "packages/distribution/src/signing/trust-in-authorities.ts";

/** See the head of this file. */
export const SIGNING_DEFENCES: readonly Defence[] = [
  {
    name: "policy-all",
    against: "policies that are passed by",
    what: "a policy is left out only where all that it asks for is nothing",
    file: "packages/distribution/src/signing/policy/policy-gate.ts",
    changes: [["requirements.every(", "requirements.some("]],
    kill: {
      test: "packages/distribution/src/signing/policy/policy-gate.test.ts",
      name: "policyGate: none where everything is taken, one where anything else is asked for, of the scope that counts",
    },
  },
  {
    name: "signer-no-authority",
    against: "certificates of an authority used to sign images",
    what: "an authority's certificate is no signer's",
    file: CHAIN,
    changes: [
      ["  if (leaf.mayIssue !== null) throw refused(\"the certificate is an authority's, not a signer's\");\n", ""],
    ],
    kill: { test: TEST, name: "refuses: CA as leaf" },
  },
  {
    name: "signer-usage",
    against: "certificates of web servers used to sign images",
    what: "a signer's certificate is for signing code",
    file: CHAIN,
    changes: [['  if (leaf.codeSigning !== "yes") throw refused("the certificate is not for signing code");\n', ""]],
    kill: { test: TEST, name: "refuses: leaf for servers" },
  },
  {
    name: "issuer-is-authority",
    against: "signers who issue certificates to others",
    what: "only authorities issue certificates, as many below each other as they may",
    file: CHAIN,
    changes: [["issuer.mayIssue === null || issuer.mayIssue < below || ", ""]],
    kill: { test: TEST, name: "refuses: mid without CA" },
  },
  {
    name: "certificate-time",
    against: "certificates that have ended, or whose key was stolen later",
    what: "a certificate was valid when the signature was made",
    file: CHAIN,
    changes: [["x509.validFromDate <= at && at <= x509.validToDate", "x509 !== null && at !== null"]],
    kill: { test: TEST, name: "refuses: late" },
  },
  {
    name: "certificate-name-bytes",
    against: "names with a NUL in them, which end there for others",
    what: "names of certificates are printable",
    file: CERTIFICATE,
    changes: [
      [
        '    if (content.some((byte) => byte <= 0x20 || byte > 0x7e)) throw fault("a name has characters that are not printed");\n',
        "",
      ],
    ],
    kill: { test: TEST, name: "refuses: NUL" },
  },
  {
    name: "certificate-extension",
    against: "restrictions of a certificate that nobody reads",
    what: "what is critical and not understood ends it",
    file: CERTIFICATE,
    changes: [["if (matters && !UNDERSTOOD.has(name))", 'if (matters && name === "")']],
    kill: { test: TEST, name: "refuses: a critical extension" },
  },
  {
    name: "log-certificate",
    against: "an entry of the log for another certificate",
    what: "the log has recorded this signature by this certificate",
    file: "packages/distribution/src/signing/rekor-entry.ts",
    changes: [
      ['logged.label !== "CERTIFICATE" || !logged.bytes.equals(certificate)', 'logged.label !== "CERTIFICATE"'],
    ],
    kill: { test: TEST, name: "refuses: other certificate" },
  },
  {
    name: "bundle-one-signer",
    against: "bundles that name two signers, one of them trusted",
    what: "a bundle has one signer",
    file: TRUST,
    changes: [["if (named.length !== 1) throw", "if (named.length === 5) throw"]],
    kill: { test: TEST, name: "refuses bundles whose signer, content or form is not as it has to be" },
  },
  {
    name: "proof-without-time",
    against: "certificates that are long over, with a time of one's own beside a proof",
    what: "only a log's promise says when something was logged",
    file: "packages/distribution/src/signing/bundle-log-entry.ts",
    changes: [["  return time;\n", '  return time ?? new Date(Number(entry["integratedTime"]) * 1000);\n']],
    kill: {
      test: "packages/distribution/src/signing/bundle-log-entry.test.ts",
      name: "verifyBundleEntries: entries of the public log, with the log's promise and by proof alone",
    },
  },
  {
    name: "proof-root",
    against: "entries that are in no log",
    what: "a proof leads from the entry to the log's root",
    file: "packages/distribution/src/signing/inclusion-proof.ts",
    changes: [["if (reached === null || !reached.equals(root))", "if (reached === null)"]],
    kill: {
      test: "packages/distribution/src/signing/inclusion-proof.test.ts",
      name: "verifyInclusion: every leaf of trees of every size, and no other one",
    },
  },
  {
    name: "checkpoint-signed",
    against: "trees that somebody has made up",
    what: "a trusted log has signed the root",
    file: "packages/distribution/src/signing/inclusion-proof.ts",
    changes: [
      [
        "if (!signatures.some((signature) => logs.some((log) => log.verifies(bytes, signature))))",
        "if (bytes.length === 0)",
      ],
    ],
    kill: {
      test: "packages/distribution/src/signing/inclusion-proof.test.ts",
      name: "verifyInclusion: the root is one that a trusted log has signed",
    },
  },
];
