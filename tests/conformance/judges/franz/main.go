// A franz-go client that does what an application does, and fails loudly:
//
//	franz SEED TOPIC
//
// creates TOPIC, produces 20,000 keyed records with every codec, reads them back directly and through a group of two
// members, looks at committed offsets and lag, alters a topic setting, and deletes the topic.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const perCodec = 5000

func must(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func client(seed string, opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seed)}, opts...)...)
	must(err, "client")
	return c
}

// Polls until `want` distinct values have been seen once each, by any of the clients.
func readAll(ctx context.Context, want int, clients ...*kgo.Client) {
	var mu sync.Mutex
	seen := map[string]bool{}
	done := make(chan struct{})
	for _, c := range clients {
		go func() {
			for ctx.Err() == nil {
				fetches := c.PollFetches(ctx)
				if fetches.IsClientClosed() {
					return
				}
				mu.Lock()
				for _, e := range fetches.Errors() {
					if ctx.Err() == nil {
						must(e.Err, "fetch")
					}
				}
				fetches.EachRecord(func(r *kgo.Record) {
					if seen[string(r.Value)] {
						must(fmt.Errorf("%q", r.Value), "read twice")
					}
					seen[string(r.Value)] = true
				})
				full := len(seen) == want
				mu.Unlock()
				if full {
					select {
					case <-done:
					default:
						close(done)
					}
					return
				}
			}
		}()
	}
	select {
	case <-done:
	case <-ctx.Done():
		mu.Lock()
		must(fmt.Errorf("%d of %d", len(seen), want), "records read in time")
	}
}

func main() {
	seed, topic := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()

	admin := kadm.NewClient(client(seed))
	created, err := admin.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": kadm.StringPtr("-1")}, topic)
	must(err, "create topic")
	must(created.Err, "create topic")

	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		producer := client(seed, kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(topic))
		for n := range perCodec {
			key := []byte(fmt.Sprint(n % 97))
			value := []byte(fmt.Sprintf("codec %d record %d", i, n))
			producer.Produce(ctx, &kgo.Record{Key: key, Value: value}, func(_ *kgo.Record, err error) { must(err, "produce") })
		}
		must(producer.Flush(ctx), "flush")
		producer.Close()
	}
	total := perCodec * len(codecs)

	readAll(ctx, total, client(seed, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))

	group := topic + "-group"
	member := func() *kgo.Client {
		return client(seed, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit())
	}
	first := member()
	readAll(ctx, total, first)
	must(first.CommitUncommittedOffsets(ctx), "commit")
	lags, err := admin.Lag(ctx, group)
	must(err, "lag")
	if lag := lags[group].Lag.Total(); lag != 0 {
		must(fmt.Errorf("%d", lag), "lag after committing everything")
	}
	second := member()
	extra := client(seed, kgo.DefaultProduceTopic(topic))
	for n := range 300 {
		extra.Produce(ctx, &kgo.Record{Key: []byte(fmt.Sprint(n)), Value: []byte(fmt.Sprint("extra ", n))}, func(_ *kgo.Record, err error) { must(err, "produce") })
	}
	must(extra.Flush(ctx), "flush")
	readAll(ctx, 300, first, second)
	first.Close()
	second.Close()

	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: kadm.StringPtr("2000000")}}, topic)
	must(err, "alter config")
	for _, a := range altered {
		must(a.Err, "alter config")
	}
	described, err := admin.DescribeTopicConfigs(ctx, topic)
	must(err, "describe config")
	config, err := described.On(topic, nil)
	must(err, "describe config")
	for _, c := range config.Configs {
		if c.Key == "max.message.bytes" && c.MaybeValue() != "2000000" {
			must(fmt.Errorf("%s", c.MaybeValue()), "altered max.message.bytes")
		}
	}
	deleted, err := admin.DeleteTopics(ctx, topic)
	must(err, "delete topic")
	for _, d := range deleted {
		must(d.Err, "delete topic")
	}
	fmt.Println("ok: created, produced with five codecs, consumed, grouped, committed, altered, deleted")
}
