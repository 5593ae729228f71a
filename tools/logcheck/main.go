// Command logcheck verifies a fleetward log with code that is not fleetward's.
//
//	logcheck [-samples 50] [-old SIZE:HEXROOT]... [-proof FILE:ENTRYFILE]... [-cosigned VKEY]... DIR VKEY
//
// Two independent readers look at the same directory:
//   - golang.org/x/mod/sumdb: the checkpoint's note signature, tiles, inclusion of the first, the last and
//     random entries, consistency with the earlier heads given with -old, and that each witness given with
//     -cosigned has cosigned the checkpoint (cosignature/v1, transparency-dev/formats);
//   - tessera's fsck: every bundle and every tile, and the root recomputed from all entries.
//
// It prints one JSON object {"size", "sumdb", "fsck"}, where "" means that the reader found nothing, and
// exits 0 if both are "", 1 if not. Size 0 has no tiles: there only the checkpoint is verified.
//
// `logcheck bench` measures others' code at work on a log (bench.go).
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type report struct {
	Size  int64  `json:"size"`
	Sumdb string `json:"sumdb"`
	Fsck  string `json:"fsck"`
}

type texts []string

func (t *texts) String() string     { return strings.Join(*t, " ") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

func main() {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		if err := bench(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	var heads, proofs, witnesses texts
	samples := flag.Int("samples", 50, "entries whose inclusion is proven, besides the first and the last")
	flag.Var(&heads, "old", "an earlier head SIZE:HEXROOT that the log must be consistent with")
	flag.Var(&proofs, "proof", "a tlog-proof file and its entry, PROOFFILE:ENTRYFILE")
	flag.Var(&witnesses, "cosigned", "the verifier key of a witness that must have cosigned the checkpoint")
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	dir, vkey := flag.Arg(0), flag.Arg(1)
	var r report
	tree, err := openCheckpoint(filepath.Join(dir, "checkpoint"), vkey)
	if err == nil {
		err = checkTree(dir, tree, *samples, heads)
	}
	if err == nil {
		err = checkCosigned(dir, witnesses)
	}
	for _, pair := range proofs {
		if err == nil {
			err = checkProof(pair, vkey)
		}
	}
	r.Size, r.Sumdb = tree.N, text(err)
	r.Fsck = text(fsckDirectory(context.Background(), dir, vkey))
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil || r.Sumdb != "" || r.Fsck != "" {
		os.Exit(1)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// openCheckpoint verifies a signed note and reads it as a C2SP checkpoint.
func openCheckpoint(path, vkey string) (tlog.Tree, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	return parseCheckpoint(data, vkey)
}

func parseCheckpoint(data []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	n, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// parseHead reads SIZE:HEXROOT.
func parseHead(s string) (tlog.Tree, error) {
	size, root, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	raw, err := hex.DecodeString(root)
	if err != nil || len(raw) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("not a root: %q", root)
	}
	return tlog.Tree{N: n, Hash: tlog.Hash(raw)}, nil
}
