"""Rendered pictures of people.

| module | holds |
|---|---|
| `cameras`, `stage` | views and crops; where camera, person and floor are in one picture |
| `mesh`, `raster`, `kernels`, `hitkernels` | surfaces, and which of them every sample of a crop sees |
| `shading`, `shadekernels`, `surfaces` | light, shadows, materials, a floor |
| `visibility` | exact visibility of joints |
| `appearance`, `outfits`, `garments` | coordinates on bodies; clothes on them and around them |
| `solids`, `materials`, `furniture`, `props` | things |
| `occluders`, `placement` | flat things; what stands in front of a person, and where |
| `backdrop`, `degrade` | what is behind; what the camera does to it all |
| `scene` | the `Studio`, which puts them together |
"""
