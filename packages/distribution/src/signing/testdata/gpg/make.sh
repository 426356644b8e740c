#!/bin/sh
# Makes the files beside this one with gpg (GnuPG 2.2); see README.md. Nobody keeps the private keys.
set -eu
cd "$(dirname "$0")"
rm -f ./*.pub ./*.signature
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all; rm -r "$GNUPGHOME"' EXIT
# Their dates are long past, whatever a machine's clock says.
gpg() { command gpg --faked-system-time=20200101T000000 --batch --quiet --no-tty --yes --passphrase '' --pinentry-mode loopback --trust-model always "$@"; }
key() { name=$1; shift; gpg "$@" --quick-generate-key "$name" "$algorithm" sign "${expires:-never}"; gpg --export --output "$name.pub" "=$name"; }
signed() { name=$1; shift; gpg "$@" --output "$name.signature" --sign payload.json; }

algorithm=ed25519 key ed25519
gpg --armor --export --yes --output ed25519.pub =ed25519
algorithm=rsa2048 key rsa2048
algorithm=rsa1024 key rsa1024
algorithm=dsa2048 key dsa2048
algorithm=ed25519 expires=1d key expired
algorithm=ed25519 key revoked

signed ed25519 -u =ed25519
signed rsa2048 -u =rsa2048 --compress-algo none
signed zlib -u =rsa2048 --compress-algo zlib
signed bzip2 -u =rsa2048 --compress-algo bzip2
signed rsa1024 -u =rsa1024
signed dsa2048 -u =dsa2048
signed sha1 -u =rsa2048 --digest-algo SHA1
signed expired-key -u =expired
signed expired-signature -u =rsa2048 --default-sig-expire 1d
signed revoked -u =revoked
signed two -u =ed25519 -u =rsa2048
signed text -u =rsa2048 --textmode
signed armored -u =rsa2048 --armor
gpg -u =rsa2048 --output detached.signature --detach-sign payload.json
gpg -u =rsa2048 --output clear.signature --clear-sign payload.json
gpg -u =rsa2048 --passphrase words --output encrypted.signature --symmetric --sign payload.json

# A key with a subkey for signing, and later with that subkey revoked.
algorithm=rsa2048 key subkey
fingerprint=$(gpg --with-colons --list-keys =subkey | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p')
gpg --quick-add-key "$fingerprint" rsa2048 sign never
gpg --export --output subkey.pub =subkey
second=$(gpg --with-colons --list-keys =subkey | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | tail -1)
signed subkey -u "$second!"
printf 'key 1\nrevkey\ny\n0\n\ny\nsave\n' | gpg --command-fd 0 --edit-key "$fingerprint"
gpg --export --output subkey-revoked.pub =subkey

gpg --export --output before-revocation.pub =revoked
# Superseded: what it signed before was good then.
printf 'revkey\ny\n2\n\ny\nsave\n' | gpg --command-fd 0 --edit-key =revoked
gpg --export --output revoked.pub =revoked
gpg --export --output both.pub =ed25519 =rsa2048
