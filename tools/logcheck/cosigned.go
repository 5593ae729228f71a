package main

import (
	"fmt"
	"os"
	"path/filepath"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// checkCosigned opens the checkpoint with each witness's key alone: a note without its signature, or with a
// wrong one, does not open.
func checkCosigned(dir string, vkeys []string) error {
	data, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	for _, vkey := range vkeys {
		verifier, err := cosignature.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			return fmt.Errorf("witness %q: %w", vkey, err)
		}
		if _, err := note.Open(data, note.VerifierList(verifier)); err != nil {
			return fmt.Errorf("witness %s: %w", verifier.Name(), err)
		}
	}
	return nil
}
