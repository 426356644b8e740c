// Defences of GPG signatures: what counts as one, whose, and where they are looked for.

import type { Defence } from "./defence.ts";

const SIGNING = "packages/distribution/src/signing";
const MESSAGE = `${SIGNING}/gpg/signed-message.ts`;
const MESSAGE_TEST = `${SIGNING}/gpg/signed-message.test.ts`;
const LOOKASIDE_TEST = `${SIGNING}/lookaside/lookaside.test.ts`;
const FORMS = "openSignedMessage: other things of OpenPGP are not taken, whoever made them";
const UNCOUNTED = "openSignedMessage: signatures that gpg makes and that do not count";

/** See the head of this file. */
export const GPG_DEFENCES: readonly Defence[] = [
  {
    name: "gpg-one-signature",
    against: "messages in which one part is verified and another one read (CVE-2007-1263)",
    what: "a message is one text with one signature",
    file: MESSAGE,
    changes: [["first instanceof OnePassSignaturePacket && packets.length === 3", "packets.length >= 3"]],
    kill: { test: MESSAGE_TEST, name: FORMS },
  },
  {
    name: "gpg-nothing-behind",
    against: "messages with something behind what is compressed",
    what: "a message is read to its end",
    file: MESSAGE,
    changes: [["if (packets.length > 1 || !(first", "if (!(first"]],
    kill: { test: MESSAGE_TEST, name: FORMS },
  },
  {
    name: "gpg-bytes",
    against: "signatures of a text with other line ends than the one that is read",
    what: "a signature is of the text's bytes",
    file: MESSAGE,
    changes: [["if (signature.signatureType !== enums.signature.binary)", "if (signature.signatureType === null)"]],
    kill: { test: MESSAGE_TEST, name: UNCOUNTED },
  },
  {
    name: "gpg-unfolded-size",
    against: "compression bombs",
    what: "what a message unfolds to has a largest size",
    file: MESSAGE,
    changes: [["LARGEST_PAYLOAD + (16 << 10)", "LARGEST_PAYLOAD * (16 << 10)"]],
    kill: { test: MESSAGE_TEST, name: "openSignedMessage: what unfolds without end costs little" },
  },
  {
    name: "gpg-weak-hash",
    against: "two texts with one SHA-1 (SHAttered)",
    what: "signatures over weak hashes do not count",
    file: MESSAGE,
    changes: [["new Set([hash.md5, hash.ripemd, hash.sha1])", "new Set([hash.md5, hash.ripemd])"]],
    kill: { test: MESSAGE_TEST, name: UNCOUNTED },
  },
  {
    name: "gpg-short-keys",
    against: "keys that can be broken",
    what: "RSA keys have 2048 bits or more",
    file: MESSAGE,
    changes: [["minRSABits: 2048", "minRSABits: 512"]],
    kill: { test: MESSAGE_TEST, name: UNCOUNTED },
  },
  {
    name: "gpg-key-now",
    against: "old keys and signatures with a date of then",
    what: "a key has to be good now, whenever it has signed",
    file: MESSAGE,
    changes: [["      await key.getSigningKey(issuer, now, undefined, RULES);\n", ""]],
    kill: {
      test: MESSAGE_TEST,
      name: "openSignedMessage: a key that ended after it had signed does not count any more, nor one that is yet to come",
    },
  },
  {
    name: "gpg-revoked-elsewhere",
    against: "an old copy of a key that was revoked",
    what: "a revocation in one keyring holds for all",
    file: `${SIGNING}/gpg/keyring.ts`,
    changes: [["known === undefined ? key : await understood(() => known.update(key))", "known ?? key"]],
    kill: {
      test: MESSAGE_TEST,
      name: "openSignedMessage: a revocation in one keyring holds for the same key in the other",
    },
  },
  {
    name: "gpg-type",
    against: "other texts of the same signer",
    what: "what is signed says that it is a signature of an image, of this kind",
    file: `${SIGNING}/simple-signing.ts`,
    changes: [["if (type !== wanted)", 'if (type === "")']],
    kill: {
      test: `${SIGNING}/policy/signed-by.test.ts`,
      name: "signedBy: what the signature says has to be of this image, in the very form",
    },
  },
  {
    name: "lookaside-count",
    against: "lists of signatures without end",
    what: "an image has at most 100 signatures",
    file: `${SIGNING}/kept-signatures.ts`,
    changes: [["if (number > MOST)", "if (number > 5 * MOST)"]],
    kill: { test: LOOKASIDE_TEST, name: "lookaside: bodies, lists and redirects without end" },
  },
  {
    name: "lookaside-refusal",
    against: "servers that hide signatures by failing",
    what: "only 404 says that there are no more",
    file: "packages/distribution/src/client/web-file.ts",
    changes: [["if (status === 404) return null;", "if (status >= 400) return null;"]],
    kill: {
      test: LOOKASIDE_TEST,
      name: "lookaside: a server that cannot be asked is an error, not an image without signatures",
    },
  },
  {
    name: "lookaside-path",
    against: "repositories with .. in their names",
    what: "signatures are read from below their directory",
    file: `${SIGNING}/lookaside/lookaside.ts`,
    changes: [['part === "" || part === "." || part === ".."', 'part === " "']],
    kill: { test: LOOKASIDE_TEST, name: "lookaside: no name of a repository leads out of the directory" },
  },
  {
    name: "registries-d-twice",
    against: "a second file that sends an image's signatures elsewhere",
    what: "one scope, one statement",
    file: `${SIGNING}/lookaside/registries-d.ts`,
    changes: [["if (other !== undefined) throw", 'if (other === "") throw']],
    kill: {
      test: `${SIGNING}/lookaside/registries-d.test.ts`,
      name: "parseRegistriesD: anything else is an error that names the file",
    },
  },
];
