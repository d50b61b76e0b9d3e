// One static program with the API server and its store, as the Kubernetes and etcd projects publish them.
//
//	stack-kubernetes etcd FLAGS...            the etcd server
//	stack-kubernetes kube-apiserver FLAGS...  the Kubernetes API server
//
// Nothing is changed in either: both entry points are the ones that their own programs call.
package main

import (
	"fmt"
	"os"
	_ "time/tzdata"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: stack-kubernetes etcd|kube-apiserver FLAGS...")
		os.Exit(2)
	}
	os.Args = os.Args[1:]
	switch os.Args[0] {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(app.NewAPIServerCommand()))
	default:
		fmt.Fprintf(os.Stderr, "stack-kubernetes: no program %q\n", os.Args[0])
		os.Exit(2)
	}
}
