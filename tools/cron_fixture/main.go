// Writes when Kubernetes would run schedules, as its own library for schedules (robfig/cron 3.0.1) says: a line for each
// schedule, zone and start, with the next runs after it.
//
//	cd tools/cron_fixture && go run . > ../../tests/fixtures/robfig_cron.jsonl
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

const runs = 6

var schedules = []string{
	"30 2 * * 0", "0 2 * * *", "30 1 * * *", "0 3 * * *", "0 0 * * *", "30 0 * * *", "59 23 * * *", "0 1 * * 0",
	"*/20 * * * *", "0 * * * *", "15 */2 * * *", "0 0-3 * * *", "5,35 1,2,3 * * *", "* 2 * * *", "0 0 1 * *",
	"0 0 13 * 5", "0 2 */10 * 0", "0 2 * * */2", "0 0 29 2 *", "0 12 31 * *", "7/19 3 * * *", "0 2 1-7 * 1",
	"0 0 ? * ?", "0 4 * jan,JUL mon-fri", "@daily", "@weekly", "@monthly", "@hourly", "@yearly", "0 2 */1 * 0",
	"0 2 *,5 * 1", "0 23 * * 6",
}

// A zone with a moment shortly before a change of its clocks.
var starts = []struct {
	zone    string
	moments []string
}{
	{"UTC", []string{"2026-03-27T12:00:30Z", "2024-02-28T23:59:59Z"}},
	{"Europe/Berlin", []string{"2026-03-27T12:00:00Z", "2026-10-23T12:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:15:00Z"}},
	{"America/New_York", []string{"2026-03-06T12:00:00Z", "2026-10-30T12:00:00Z", "2026-11-01T05:30:00Z"}},
	{"Australia/Lord_Howe", []string{"2025-10-03T12:00:00Z", "2026-04-03T12:00:00Z", "2026-04-04T15:10:00Z"}},
	{"America/Sao_Paulo", []string{"2018-11-02T12:00:00Z", "2018-02-16T12:00:00Z"}},
	{"Asia/Beirut", []string{"2025-03-28T12:00:00Z", "2025-10-24T12:00:00Z"}},
	{"Africa/Cairo", []string{"2025-04-23T12:00:00Z", "2025-10-29T12:00:00Z"}},
	{"America/Havana", []string{"2025-03-07T12:00:00Z", "2025-10-31T12:00:00Z"}},
	{"America/Santiago", []string{"2025-09-05T12:00:00Z", "2025-04-04T12:00:00Z"}},
	{"Africa/Casablanca", []string{"2025-02-21T12:00:00Z", "2025-04-04T12:00:00Z"}},
	{"Antarctica/Troll", []string{"2026-03-27T12:00:00Z", "2025-10-24T12:00:00Z"}},
	{"America/St_Johns", []string{"2010-03-12T12:00:00Z", "2010-11-05T12:00:00Z"}},
	{"Asia/Kolkata", []string{"2026-01-30T12:00:00Z"}},
}

type line struct {
	Schedule string   `json:"schedule"`
	Zone     string   `json:"zone"`
	After    string   `json:"after"`
	Runs     []string `json:"runs"`
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, schedule := range schedules {
		for _, start := range starts {
			parsed, err := cron.ParseStandard(fmt.Sprintf("TZ=%s %s", start.zone, schedule))
			if err != nil {
				log.Fatal(err)
			}
			for _, moment := range start.moments {
				after, err := time.Parse(time.RFC3339, moment)
				if err != nil {
					log.Fatal(err)
				}
				entry := line{schedule, start.zone, moment, []string{}}
				for at := after; len(entry.Runs) < runs; {
					if at = parsed.Next(at); at.IsZero() {
						break
					}
					entry.Runs = append(entry.Runs, at.UTC().Format(time.RFC3339))
				}
				if err := out.Encode(entry); err != nil {
					log.Fatal(err)
				}
			}
		}
	}
}
