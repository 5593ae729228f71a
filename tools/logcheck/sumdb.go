package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// tileDirectory reads tlog-tiles from a directory; a partial tile may be cut from the full one.
type tileDirectory string

func (d tileDirectory) Height() int                         { return 8 }
func (d tileDirectory) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (d tileDirectory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		data, err := d.read(strings.Replace(t.Path(), "tile/8/", "tile/", 1), t.W)
		if err != nil {
			return nil, err
		}
		if want := t.W * tlog.HashSize; t.L >= 0 && len(data) > want {
			data = data[:want]
		}
		out = append(out, data)
	}
	return out, nil
}

func (d tileDirectory) read(path string, width int) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(d), path))
	if errors.Is(err, os.ErrNotExist) && width < 256 {
		return os.ReadFile(filepath.Join(string(d), strings.TrimSuffix(path, ".p/"+strconv.Itoa(width))))
	}
	return data, err
}

// checkTree proves entries to be in the tree, and the tree to go on from each earlier head.
func checkTree(dir string, tree tlog.Tree, samples int, heads []string) error {
	reader := tlog.TileHashReader(tree, tileDirectory(dir))
	for _, index := range sample(tree.N, samples) {
		if err := checkEntry(dir, tree, reader, index); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	for _, s := range heads {
		old, err := parseHead(s)
		if err != nil {
			return err
		}
		if err := checkConsistent(tree, reader, old); err != nil {
			return fmt.Errorf("head of size %d: %w", old.N, err)
		}
	}
	return nil
}

func sample(size int64, count int) []int64 {
	if size == 0 {
		return nil
	}
	indices := []int64{0, size - 1}
	for range count {
		indices = append(indices, rand.Int64N(size))
	}
	return indices
}

func checkEntry(dir string, tree tlog.Tree, reader tlog.HashReader, index int64) error {
	data, err := readEntry(dir, tree.N, index)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, index, reader)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(data))
}

func checkConsistent(tree tlog.Tree, reader tlog.HashReader, old tlog.Tree) error {
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// readEntry takes one entry out of its bundle.
func readEntry(dir string, size, index int64) ([]byte, error) {
	tile := tlog.Tile{H: 8, L: -1, N: index / 256, W: int(min(256, size-index/256*256))}
	path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	bundle, err := tileDirectory(dir).read(path, tile.W)
	if err != nil {
		return nil, err
	}
	for at := int64(0); len(bundle) >= 2; at++ {
		length := int(binary.BigEndian.Uint16(bundle))
		if len(bundle) < 2+length {
			break
		}
		if at == index%256 {
			return bundle[2 : 2+length], nil
		}
		bundle = bundle[2+length:]
	}
	return nil, errors.New("the bundle is too short")
}

// checkProof checks a C2SP tlog-proof file against the entry it is for, given as PROOFFILE:ENTRYFILE.
func checkProof(pair, vkey string) error {
	proofPath, entryPath, _ := strings.Cut(pair, ":")
	data, err := os.ReadFile(proofPath)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(entryPath)
	if err != nil {
		return err
	}
	return verifyProof(data, entry, vkey)
}

func verifyProof(data, entry []byte, vkey string) error {
	head, checkpoint, _ := strings.Cut(string(data), "\n\n")
	tree, err := parseCheckpoint([]byte(checkpoint), vkey)
	if err != nil {
		return err
	}
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
