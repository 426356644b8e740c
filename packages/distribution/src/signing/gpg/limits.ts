// How much of GPG is read, for whoever reads without loading what understands it.

/** Largest keyring. */
export const LARGEST_KEYRING: number = 1 << 20;
/** Largest signature with its text: with a text of 250 bytes and an RSA key of 4096 bits it has about 850. */
export const LARGEST_GPG_SIGNATURE: number = 128 << 10;
