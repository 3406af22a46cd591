package mesh

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/zeebo/xxh3"
	"golang.org/x/crypto/blake2s"
)

// LinkSize is the size of an encoded link in bytes.
const LinkSize = 32

// Link ties one output of a chain to the one before it. Encoded it is four little-endian words in this order.
type Link struct {
	Origin   Origin
	Horizon  Horizon
	Sequence uint64 // 0 is the genesis
	Parent   uint64 // xxh3-64 of the previous link and its payload
}

// Append adds the 32 bytes of the link to b.
func (l Link) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(l.Origin))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.Horizon))
	b = binary.LittleEndian.AppendUint64(b, l.Sequence)
	return binary.LittleEndian.AppendUint64(b, l.Parent)
}

// ParseLink reads the 32 bytes of a link.
func ParseLink(b []byte) (Link, error) {
	if len(b) != LinkSize {
		return Link{}, fmt.Errorf("causal link of %d bytes: want %d", len(b), LinkSize)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return Link{Origin: Origin(word(0)), Horizon: Horizon(word(1)), Sequence: word(2), Parent: word(3)}, nil
}

// Origin is the short name of a source of events: the first word of its entity's keyed hash.
type Origin uint64

// OriginOf is the origin of a daemon's chain.
func OriginOf(fleet string, id DaemonID) Origin {
	entity := Entity(fleet, id)
	hash, err := blake2s.New256([]byte("net-origin-v1"))
	if err != nil {
		panic(err) // the key has a constant, valid length
	}
	hash.Write(entity[:])
	return Origin(binary.LittleEndian.Uint64(hash.Sum(nil)))
}

// Entity is the full identity of a daemon.
func Entity(fleet string, id DaemonID) [sha256.Size]byte {
	return sha256.Sum256([]byte("edge-agent/daemon/v1\x00" + fleet + "\x00" + string(id)))
}

// TopicOrigin is the origin of inputs without a link of their own: the hash of the filter that let them in.
func TopicOrigin(filter string) Origin { return Origin(xxh3.HashString(filter)) }

// ForkParent is the parent of the genesis of a fork: proof of where it left its parent chain.
func ForkParent(parent Origin, sequence uint64) uint64 {
	b := binary.LittleEndian.AppendUint64(nil, uint64(parent))
	b = binary.LittleEndian.AppendUint64(b, sequence)
	return xxh3.Hash(append(b, "fork"...))
}
