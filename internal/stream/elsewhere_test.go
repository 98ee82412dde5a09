package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestQuorum_needsMostOfTheReplicas(t *testing.T) {
	there, silent, gone := &jetstream.PeerInfo{Active: time.Second}, &jetstream.PeerInfo{Active: time.Minute}, &jetstream.PeerInfo{Offline: true}
	tests := []struct {
		others []*jetstream.PeerInfo
		want   error
	}{
		{nil, nil},
		{[]*jetstream.PeerInfo{there, there}, nil},
		{[]*jetstream.PeerInfo{there, silent}, nil},
		{[]*jetstream.PeerInfo{there, gone}, nil},
		{[]*jetstream.PeerInfo{silent, gone}, errNoQuorum},
		{[]*jetstream.PeerInfo{silent}, errNoQuorum},
		{[]*jetstream.PeerInfo{there, there, gone, silent}, nil},
		{[]*jetstream.PeerInfo{there, silent, gone, silent}, errNoQuorum},
	}
	for i, test := range tests {
		info := &jetstream.StreamInfo{Cluster: &jetstream.ClusterInfo{Replicas: test.others}}
		if err := quorum(info); !errors.Is(err, test.want) {
			t.Errorf("%d: %v, want %v", i, err, test.want)
		}
	}
	if err := quorum(&jetstream.StreamInfo{}); err != nil {
		t.Errorf("a server by itself: %v", err)
	}
}
