package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// bench does what fleetward does, with others' code, and prints how long it took, in seconds, as JSON:
//
//	logcheck bench append DIR SKEY ENTRIES BATCH   {"append"}: all ENTRIES (a bundle's layout) into a new log
//	logcheck bench prove DIR VKEY COUNT            {"prove", "check"}: COUNT tlog-proofs spread over the log
func bench(args []string) error {
	var seconds map[string]float64
	var err error
	switch {
	case len(args) == 5 && args[0] == "append":
		seconds, err = benchAppend(args[1], args[2], args[3], args[4])
	case len(args) == 4 && args[0] == "prove":
		seconds, err = benchProve(args[1], args[2], args[3])
	default:
		err = errors.New("usage: bench append DIR SKEY ENTRIES BATCH, or bench prove DIR VKEY COUNT")
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(seconds)
}

// benchAppend waits for each batch to be integrated and durable before it adds the next; tessera publishes
// the checkpoint later, in the background.
func benchAppend(dir, skey, path, width string) (map[string]float64, error) {
	batch, err := strconv.Atoi(width)
	if err != nil || batch < 1 {
		return nil, fmt.Errorf("not a batch: %q", width)
	}
	entries, err := readBundle(path)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	add, stop, err := openTessera(ctx, dir, skey, batch)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	for at := 0; at < len(entries); at += batch {
		if err := addBatch(ctx, add, entries[at:min(at+batch, len(entries))]); err != nil {
			return nil, err
		}
	}
	took := time.Since(start).Seconds()
	return map[string]float64{"append": took}, stop(ctx)
}

func openTessera(ctx context.Context, dir, skey string, batch int) (tessera.AddFn, func(context.Context) error, error) {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, nil, err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(time.Second).
		WithBatching(uint(batch), 10*time.Millisecond)
	appender, stop, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return nil, nil, err
	}
	return appender.Add, stop, nil
}

func addBatch(ctx context.Context, add tessera.AddFn, entries [][]byte) error {
	futures := make([]tessera.IndexFuture, 0, len(entries))
	for _, entry := range entries {
		futures = append(futures, add(ctx, tessera.NewEntry(entry)))
	}
	for _, future := range futures {
		if _, err := future(); err != nil {
			return err
		}
	}
	return nil
}

func readBundle(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(data))
		if len(data) < end {
			return nil, errors.New("the entries are cut short")
		}
		entries, data = append(entries, data[2:end]), data[end:]
	}
	return entries, nil
}

// heldTiles keeps every tile that was read, as tlog leaves it to its reader to do.
type heldTiles struct {
	tileDirectory
	held map[tlog.Tile][]byte
}

func (h heldTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		if _, ok := h.held[tile]; !ok {
			data, err := h.tileDirectory.ReadTiles([]tlog.Tile{tile})
			if err != nil {
				return nil, err
			}
			h.held[tile] = data[0]
		}
		out = append(out, h.held[tile])
	}
	return out, nil
}

func benchProve(dir, vkey, number string) (map[string]float64, error) {
	count, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, err
	}
	checkpoint, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return nil, err
	}
	tree, err := parseCheckpoint(checkpoint, vkey)
	if err != nil {
		return nil, err
	}
	reader := tlog.TileHashReader(tree, heldTiles{tileDirectory(dir), map[tlog.Tile][]byte{}})
	var prove, check time.Duration
	for n := range count {
		index := n * (tree.N / count)
		entry, err := readEntry(dir, tree.N, index)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		proof, err := writeProof(tree.N, index, reader, checkpoint)
		if err != nil {
			return nil, err
		}
		prove += time.Since(start)
		start = time.Now()
		if err := verifyProof(proof, entry, vkey); err != nil {
			return nil, err
		}
		check += time.Since(start)
	}
	return map[string]float64{"prove": prove.Seconds(), "check": check.Seconds()}, nil
}

// writeProof makes a C2SP tlog-proof file.
func writeProof(size, index int64, reader tlog.HashReader, checkpoint []byte) ([]byte, error) {
	proof, err := tlog.ProveRecord(size, index, reader)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "c2sp.org/tlog-proof@v1\nindex %d\n", index)
	for _, hash := range proof {
		fmt.Fprintf(&text, "%s\n", hash)
	}
	fmt.Fprintf(&text, "\n%s", checkpoint)
	return []byte(text.String()), nil
}
