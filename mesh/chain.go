package mesh

import "github.com/zeebo/xxh3"

// Chain links the outputs of one daemon. It has a single writer; its zero value is not useful: start with NewChain
// or ResumeChain.
type Chain struct {
	head   Head
	hasher linkHasher
}

// NewChain begins at the genesis: sequence 0, no parent, empty payload.
func NewChain(origin Origin, epoch uint64, incarnation uint32) *Chain {
	genesis := Link{Origin: origin}
	c := &Chain{head: Head{Link: genesis, Epoch: epoch, Incarnation: incarnation}}
	c.head.Next = c.hasher.next(genesis, nil)
	return c
}

// ResumeChain goes on from a head that was kept.
func ResumeChain(head Head) *Chain { return &Chain{head: head} }

// Append links a payload behind the head and moves the head.
func (c *Chain) Append(payload []byte, horizon Horizon) Link {
	link := Link{
		Origin: c.head.Link.Origin, Horizon: horizon, Sequence: c.head.Link.Sequence + 1, Parent: c.head.Next,
	}
	c.head.Link, c.head.Next = link, c.hasher.next(link, payload)
	return link
}

// Head is where the chain stands.
func (c *Chain) Head() Head { return c.head }

// Rewind puts the chain back to a head it had, when a step is discarded.
func (c *Chain) Rewind(head Head) { c.head = head }

// linkHasher computes what the next link carries as its parent.
type linkHasher struct {
	scratch []byte       // link and payload side by side, the fastest way to hash up to smallPayload
	large   *xxh3.Hasher // for larger ones, made for the first of them
}

const smallPayload = 1024

func (h *linkHasher) next(link Link, payload []byte) uint64 {
	h.scratch = link.Append(h.scratch[:0])
	if len(payload) <= smallPayload {
		h.scratch = append(h.scratch, payload...)
		return xxh3.Hash(h.scratch)
	}
	if h.large == nil {
		h.large = xxh3.New()
	}
	h.large.Reset()
	h.large.Write(h.scratch)
	h.large.Write(payload)
	return h.large.Sum64()
}
