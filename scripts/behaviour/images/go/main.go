// A small static service, with the hole that its attacker found.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

func vulnerable(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Has("drop"):
		// The request's body is a program.
		body, _ := io.ReadAll(r.Body)
		path := query.Get("drop")
		fmt.Fprintln(w, os.WriteFile(path, body, 0o755))
		if arguments := strings.Fields(query.Get("args")); query.Has("run") {
			out, err := exec.Command(path, arguments...).CombinedOutput()
			fmt.Fprintln(w, string(out), err)
		}
	case query.Has("path"):
		fmt.Fprintln(w, os.WriteFile(query.Get("path"), []byte(query.Get("body")), 0o644))
	case query.Has("dial"):
		peer, err := net.DialTimeout("tcp", query.Get("dial"), 2*time.Second)
		if err == nil {
			peer.Close()
		}
		fmt.Fprintln(w, "dialled", err)
	case query.Has("listen"):
		_, err := net.Listen("tcp", query.Get("listen"))
		fmt.Fprintln(w, "listens", err)
	}
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	http.HandleFunc("/vulnerable", vulnerable)
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	os.Exit(1)
}
