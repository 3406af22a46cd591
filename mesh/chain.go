package mesh

import "github.com/zeebo/xxh3"

// Chain links the outputs of one daemon. It has a single writer; its zero value is not useful: start with NewChain
// or ResumeChain.
type Chain struct {
	head    Head
	scratch []byte       // link and payload side by side, the fastest way to hash up to smallPayload
	large   *xxh3.Hasher // for larger ones, made for the first of them
}

const smallPayload = 1024

// NewChain begins at the genesis: sequence 0, no parent, empty payload.
func NewChain(origin Origin, epoch uint64, incarnation uint32) *Chain {
	genesis := Link{Origin: origin}
	c := &Chain{head: Head{Link: genesis, Epoch: epoch, Incarnation: incarnation}}
	c.head.Next = c.hash(genesis, nil)
	return c
}

// ResumeChain goes on from a head that was kept.
func ResumeChain(head Head) *Chain { return &Chain{head: head} }

// Append links a payload behind the head and moves the head.
func (c *Chain) Append(payload []byte, horizon Horizon) Link {
	link := Link{
		Origin: c.head.Link.Origin, Horizon: horizon, Sequence: c.head.Link.Sequence + 1, Parent: c.head.Next,
	}
	c.head.Link, c.head.Next = link, c.hash(link, payload)
	return link
}

// Head is where the chain stands.
func (c *Chain) Head() Head { return c.head }

// Rewind puts the chain back to a head it had, when a step is discarded.
func (c *Chain) Rewind(head Head) { c.head = head }

func (c *Chain) hash(link Link, payload []byte) uint64 {
	c.scratch = link.Append(c.scratch[:0])
	if len(payload) <= smallPayload {
		c.scratch = append(c.scratch, payload...)
		return xxh3.Hash(c.scratch)
	}
	if c.large == nil {
		c.large = xxh3.New()
	}
	c.large.Reset()
	c.large.Write(c.scratch)
	c.large.Write(payload)
	return c.large.Sum64()
}
