package main

import (
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// fsckDirectory is tessera's own check of a whole log; its command exits 0 on some corrupt logs, its
// library does not. A bundle that is too short makes the library panic: that is a finding too.
func fsckDirectory(ctx context.Context, dir, vkey string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fsck panicked: %v", p)
		}
	}()
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	fetcher := &client.FileFetcher{Root: dir}
	return fsck.New(verifier.Name(), verifier, fetcher, leafHashes, fsck.Opts{N: 4}).Check(ctx)
}

func leafHashes(raw []byte) ([][]byte, error) {
	var bundle api.EntryBundle
	if err := bundle.UnmarshalText(raw); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(bundle.Entries))
	for _, entry := range bundle.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}
