// Package crypto has the names that witnessctl needs to link; only add-sigsum-log would use them.
package crypto

import "crypto/sha256"

// PublicKeySize is the length of an Ed25519 public key in bytes.
const PublicKeySize = 32

// PublicKey is an Ed25519 public key.
type PublicKey [PublicKeySize]byte

// HashBytes is SHA-256.
func HashBytes(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }
