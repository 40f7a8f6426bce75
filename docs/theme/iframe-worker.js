// Browsers refuse workers to a page that was opened from the disk. There, and only there, the worker
// of the search runs in a hidden frame instead, so that `build/site/index.html` needs no server.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.inside.importScripts = (...urls) =>
        urls.reduce((before, one) => before.then(() => this.load(one)), Promise.resolve())
      this.inside.postMessage = data =>
        setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })))
      this.ready = this.load(url)
    }

    load(url) {
      return new Promise((resolve, reject) => {
        const script = this.inside.document.createElement("script")
        script.src = url
        script.onload = resolve
        script.onerror = reject
        this.inside.document.body.append(script)
      })
    }

    postMessage(data) {
      const event = new this.inside.MessageEvent("message", { data })
      this.ready.then(() => this.inside.dispatchEvent(event))
    }

    terminate() {
      this.inside.frameElement.remove()
    }
  }
}
