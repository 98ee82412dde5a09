package store

import "sync"

// searchCacheBytes is how much a reader remembers of what it has found.
const searchCacheBytes = 64 << 20

// searchCache remembers which rows of a search block have a term: blocks do not
// change, and an operator asks for the same term again and again, page by page.
// What was used longest ago is forgotten first, term by term.
type searchCache struct {
	mu      sync.Mutex
	limit   int
	rewinds int64 // state.rewinds of what is remembered
	terms   map[string]*cachedTerm
	bytes   int
	uses    int64
}

type cachedTerm struct {
	blocks map[int64][]uint32 // rows by block
	bytes  int
	used   int64
}

// get returns the rows of a block that have the term, which must not be changed.
func (c *searchCache) get(rewinds int64, term string, block int64) (rows []uint32, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.terms[term]
	if t == nil || c.rewinds != rewinds {
		return nil, false
	}
	c.uses++
	t.used = c.uses
	rows, ok = t.blocks[block]
	return rows, ok
}

// put remembers rows, which must not be changed from then on.
func (c *searchCache) put(rewinds int64, term string, block int64, rows []uint32) {
	const overhead = 100 // of an entry, roughly
	c.mu.Lock()
	defer c.mu.Unlock()
	if rewinds < c.rewinds {
		return
	}
	if rewinds > c.rewinds || c.terms == nil {
		c.rewinds, c.terms, c.bytes = rewinds, make(map[string]*cachedTerm), 0
	}
	t := c.terms[term]
	if t == nil {
		t = &cachedTerm{blocks: make(map[int64][]uint32)}
		c.terms[term] = t
	}
	if _, ok := t.blocks[block]; ok {
		return
	}
	size := overhead + 4*cap(rows)
	c.uses++
	t.used = c.uses
	t.blocks[block] = rows
	t.bytes += size
	for c.bytes += size; c.bytes > c.limit; {
		c.forgetOldest()
	}
}

func (c *searchCache) forgetOldest() {
	oldest := ""
	for term, t := range c.terms {
		if o := c.terms[oldest]; o == nil || t.used < o.used {
			oldest = term
		}
	}
	c.bytes -= c.terms[oldest].bytes
	delete(c.terms, oldest)
}
