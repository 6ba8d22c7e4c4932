package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fairlead/fairlead/bench/load"
	"github.com/fairlead/fairlead/bench/measure"
)

// stand is the upstream with both gateways before it.
type stand struct {
	upstream *child
	behind   string
	gateways [2]gateway // forwarder, Fairlead
	opt      options
	dir      string
}

const (
	theForwarder = iota
	theFairlead
)

// measureAll runs the scenarios. What was measured until an error is reported.
func measureAll(ctx context.Context, opt options, dir string) (_ *report, err error) {
	s := &stand{opt: opt, dir: dir}
	if s.upstream, err = play(ctx, roleUpstream); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.upstream.stop()) }()
	if s.behind, err = s.upstream.address(); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := newReport(opt)
	for _, sc := range scenarios(opt) {
		if !strings.Contains(sc.name, opt.only) {
			continue
		}
		pairs, err := s.scenario(ctx, sc)
		r.add(sc, pairs)
		if err != nil {
			return r, fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	if len(r.Rows) == 0 {
		return nil, fmt.Errorf("no scenario's name contains %q", opt.only)
	}
	r.Seconds = time.Since(r.Time).Seconds()
	return r, nil
}

func (s *stand) open(ctx context.Context) (err error) {
	if s.gateways[theForwarder], err = startBare(ctx, s.behind); err != nil {
		return err
	}
	s.gateways[theFairlead], err = startFairlead(ctx, s.opt.fairlead, s.behind, s.dir)
	if err != nil {
		return errors.Join(err, s.gateways[theForwarder].stop())
	}
	return nil
}

func (s *stand) close() error {
	return errors.Join(s.gateways[theForwarder].stop(), s.gateways[theFairlead].stop())
}

// pairs are the rounds of both gateways, in step.
type pairs [2][]round

// scenario runs its rounds, one gateway after the other, and the other way round in
// each second pair: what drifts on the machine falls on both.
func (s *stand) scenario(ctx context.Context, sc scenario) (pairs, error) {
	var out pairs
	rounds := s.opt.rounds
	if sc.rounds > 0 {
		rounds = min(rounds, sc.rounds)
	}
	for i := range rounds {
		order := [2]int{theForwarder, theFairlead}
		if i%2 == 1 {
			order = [2]int{theFairlead, theForwarder}
		}
		for _, which := range order {
			r, err := s.round(ctx, sc, which)
			if err != nil {
				return out, err
			}
			out[which] = append(out[which], r)
		}
	}
	return out, nil
}

func (s *stand) round(ctx context.Context, sc scenario, which int) (_ round, err error) {
	on := s
	if sc.fresh {
		on = &stand{upstream: s.upstream, behind: s.behind, opt: s.opt, dir: s.dir}
		if err := on.open(ctx); err != nil {
			return round{}, err
		}
		defer func() { err = errors.Join(err, on.close()) }()
	}
	load := sc.load
	load.Messages = sc.translated && which == theFairlead
	r, err := weigh(ctx, on.gateways[which], load)
	if err != nil {
		return r, err
	}
	r.Streams = sc.load.InFlight
	name := [...]string{"forwarder", "fairlead "}[which]
	recorded := ""
	if f, ok := on.gateways[which].(*fairlead); ok {
		recorded = fmt.Sprintf(", %d answers %d rows", f.asked, f.written)
	}
	fmt.Fprintf(os.Stderr, "%-50s %s %7.1f µs CPU, p50 %.3f ms, %.0f/s, peak %.0f MB%s\n", sc.name, name,
		cpuPerRequest(r), median(r), float64(r.Result.Done)/r.Result.Elapsed.Seconds(), peak(r), recorded)
	return r, nil
}

// weigh puts one load on a gateway and reads what that cost it.
func weigh(ctx context.Context, g gateway, spec load.Spec) (r round, err error) {
	spec.Addr = g.address()
	l, err := warmUp(ctx, spec)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.stop()) }()
	if err := g.settle(ctx, spec.WarmUp); err != nil {
		return r, err
	}
	before, err := measure.Of(ctx, g.pid())
	if err != nil {
		return r, err
	}
	if r.Result, err = l.measure(); err != nil {
		return r, err
	}
	if r.Result.Failed > 0 {
		return r, fmt.Errorf("%d of %d requests failed, the first with: %s", r.Result.Failed, r.Result.Failed+r.Result.Done, r.Result.FirstError)
	}
	if err := g.settle(ctx, r.Result.Done); err != nil {
		return r, err
	}
	after, err := measure.Of(ctx, g.pid())
	r.CPU, r.RSS, r.Peak = after.CPU-before.CPU, before.RSS, after.Peak
	return r, err
}
