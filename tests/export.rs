//! Export.

use service::library::ImportFormat;

use crate::harness::{World, import};

matrix![what_is_exported_can_be_imported_again,];

async fn export(world: &World) -> String {
    let mut lines = String::new();
    let count = world.pharos.export_resources(|resource| {
        lines += &serde_json::to_string(&resource.fields).unwrap();
        lines.push('\n');
        Ok(())
    });
    let count = count.await.unwrap();
    assert_eq!(count, lines.lines().count() as u64);
    lines
}

async fn what_is_exported_can_be_imported_again(world: World) {
    crate::harness::catalogue(&world).await;
    for number in 0..600 {
        let text =
            format!("{{\"title\": \"Number {number}\", \"identifier\": \"number:{number}\"}}");
        if number % 200 == 0 {
            import(&world.pharos, ImportFormat::NdJson, text).await;
        }
    }
    let exported = export(&world).await;
    let other = World::start(world.backend).await;
    let (report, rejects) = import(&other.pharos, ImportFormat::NdJson, exported.clone()).await;
    assert_eq!((report.inserted, report.rejected), (13, 0), "{rejects:?}");
    assert_eq!(export(&other).await, exported);
}
