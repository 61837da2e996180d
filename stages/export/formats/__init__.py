"""One module a format; several where trainers agree but for little."""

FORMATS: dict[str, str] = {
    "zarr": "stages.export.formats.dense:DenseZarr",
    "ply": "stages.export.formats.ply:Ply",
    "softgroup": "stages.export.formats.softgroup:SoftGroup",
    "gapro-isbnet": "stages.export.formats.gapro:GaproIsbnet",
    "gapro-spformer": "stages.export.formats.gapro:GaproSpformer",
    "spformer": "stages.export.formats.spformer:SpFormer",
    "sstnet": "stages.export.formats.sstnet:SstNet",
    "mask3d": "stages.export.formats.mask3d:Mask3d",
    "pointcept": "stages.export.formats.pointcept:Pointcept",
    "mmdet3d": "stages.export.formats.mmdet3d:Mmdet3d",
    "scannet-benchmark": "stages.export.formats.scannet_benchmark:ScannetBenchmark",
    "softgroup-s3dis": "stages.export.formats.softgroup_s3dis:SoftGroupS3dis",
    "isbnet-s3dis": "stages.export.formats.isbnet_s3dis:IsbnetS3dis",
    "pointcept-s3dis": "stages.export.formats.pointcept_s3dis:PointceptS3dis",
    "mask3d-s3dis": "stages.export.formats.mask3d_s3dis:Mask3dS3dis",
    "mmdet3d-s3dis": "stages.export.formats.mmdet3d_s3dis:Mmdet3dS3dis",
}
"""Name on the command line -> dotted path of its stage."""
