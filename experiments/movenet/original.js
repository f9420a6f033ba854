// What the original says: node original.js PACKAGE_FOLDER CROPS.u8 > expected.json   (npm install @tensorflow/tfjs@4.22.0)
// CROPS.u8 holds 256x256 RGB crops one after the other, as `python test_parity.py CROPS.u8` writes them.
const tf = require('@tensorflow/tfjs');
const fs = require('fs');

async function main([folder, cropsFile]) {
  const graph = JSON.parse(fs.readFileSync(`${folder}/models/movenet-thunder.json`));
  const weightData = new Uint8Array(fs.readFileSync(`${folder}/models/movenet-thunder.bin`)).buffer;
  const model = await tf.loadGraphModel({
    load: async () => ({ ...graph, weightSpecs: graph.weightsManifest[0].weights, weightData }),
  });
  const crops = fs.readFileSync(cropsFile);
  const bytes = 256 * 256 * 3;
  const answers = [];
  for (let start = 0; start < crops.length; start += bytes) {
    const crop = new Int32Array(crops.subarray(start, start + bytes));
    const keypoints = model.execute(tf.tensor(crop, [1, 256, 256, 3], 'int32'));
    answers.push((await keypoints.array())[0][0]);
  }
  const rows = answers.map((a) => `  ${JSON.stringify(a.map((p) => p.map((v) => +v.toFixed(6))))}`);
  console.log(`[\n${rows.join(',\n')}\n]`);
}

main(process.argv.slice(2));
