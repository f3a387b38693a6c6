// node run.mjs RUNS ADDRESS ...: what Lighthouse says of pages, one line of JSON for each
// run: the address, four marks of 0 to 100, milliseconds, and the audits that are not met.
// As Lighthouse does by itself: a phone, a slow line and a slow processor, simulated.
import * as launcher from "chrome-launcher";
import lighthouse from "lighthouse";

const [runs, ...addresses] = process.argv.slice(2);
const categories = ["performance", "accessibility", "best-practices", "seo"];
const times = {
  fcp: "first-contentful-paint",
  lcp: "largest-contentful-paint",
  tbt: "total-blocking-time",
};

const chrome = await launcher.launch({
  chromePath: process.env.CHROME_PATH,
  chromeFlags: [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
  ],
});
try {
  for (const address of addresses) {
    for (let run = 0; run < Number(runs); run += 1) {
      const { lhr } = await lighthouse(address, {
        port: chrome.port,
        logLevel: "error",
        onlyCategories: categories,
        throttlingMethod: "simulate",
        maxWaitForLoad: 60_000,
      });
      if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
      const marks = categories.map((name) => Math.round(lhr.categories[name].score * 100));
      const measured = Object.entries(times).map(([short, audit]) => [
        short,
        Math.round(lhr.audits[audit].numericValue),
      ]);
      const unmet = Object.values(lhr.audits).filter(
        ({ score, scoreDisplayMode }) =>
          score !== null && score < 0.9 && scoreDisplayMode !== "informative",
      );
      const said = {
        address,
        marks,
        ...Object.fromEntries(measured),
        unmet: unmet.map(({ id, displayValue }) => `${id} ${displayValue ?? ""}`.trim()),
      };
      console.log(JSON.stringify(said));
    }
  }
} finally {
  chrome.kill();
}
