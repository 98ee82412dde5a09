package stream

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long a server may be connected and yet know nothing of the
// stream before another one is tried: a node of a cluster that was cut off from the
// others keeps its clients, and cannot serve them.
const patience = 3 * time.Second

// answered notes that the stream could be asked over the present connection.
func (c *Conn) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silentSince = time.Time{}
}

// unanswered notes that it could not, and moves on to another of the servers when
// that has lasted.
func (c *Conn) unanswered() {
	c.mu.Lock()
	now := time.Now()
	if c.silentSince.IsZero() || c.away {
		c.silentSince = now
	}
	move := now.Sub(c.silentSince) > patience
	if move {
		c.silentSince = now
	}
	c.mu.Unlock()
	if move && !c.inProcess && len(c.nc.Servers()) > 1 {
		c.log.Warn("this server does not reach the stream, trying another", "server", c.nc.ConnectedUrlRedacted())
		_ = c.nc.ForceReconnect() // fails on a closed connection only
	}
}

// deaf is how long a replica may be silent before its leader counts it out: the
// least time after which a nats-server without a leader elects another
// (raft.go, minElectionTimeout). Replicas are heard each second.
const deaf = 4 * time.Second

// errNoQuorum passes: the replicas come back, or the servers that are left elect
// another leader, and this one learns of it.
var errNoQuorum = errors.New("the stream's leader does not reach most of its replicas")

// quorum returns nil when the leader who tells of the stream can make an entry
// replicated. One that was cut off from the others answers as before for a while.
func quorum(info *jetstream.StreamInfo) error {
	if info.Cluster == nil || len(info.Cluster.Replicas) == 0 {
		return nil
	}
	heard := 1 // itself
	for _, replica := range info.Cluster.Replicas {
		if !replica.Offline && replica.Active < deaf {
			heard++
		}
	}
	if replicas := len(info.Cluster.Replicas) + 1; 2*heard <= replicas {
		return errNoQuorum
	}
	return nil
}
